"""Reading a recipe: YAML, what experiments and stages share, and errors of one line.

What the experiments of a recipe share stands once under ``defaults``; what two of them share is
taken over by ``like: name``, and so between the stages of an experiment. All is merged key by key;
a stage or an ablation that is ``null`` is left out.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from occkd_lib.config.experiment import Experiment
from occkd_lib.config.merge import merge
from occkd_lib.config.recipe import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean, importable
from occkd_lib.settings import first_error


def builtin_recipes() -> list[str]:
    """Names of the recipes that come with the library."""
    folder = resources.files("occkd_lib.config") / "recipes"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def recipe_file(recipe: str | Path) -> Path:
    """The file of a built-in recipe, by its name, or the recipe file at that path."""
    names = builtin_recipes()
    if str(recipe) in names:
        return Path(str(resources.files("occkd_lib.config") / "recipes" / f"{recipe}.yaml"))
    path = Path(recipe)
    if not path.is_file():
        near = did_you_mean(str(recipe), names)
        raise OcckdError(
            f"no recipe {str(recipe)!r}{near}: give a file, or one of {', '.join(names)}"
        )
    return path


def load_recipe(recipe: str | Path) -> Recipe:
    """Read a built-in recipe by name, or any recipe file by its path.

    Import paths in a recipe file are looked for in its own folder, too. Raises OcckdError that
    names the file and the key when a key is unknown or a value is wrong.
    """
    path = recipe_file(recipe)
    if str(recipe) not in builtin_recipes():
        importable(path.resolve().parent)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise OcckdError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("experiments"), dict):
        other = (
            [key for key in raw if key not in Recipe.model_fields] if isinstance(raw, dict) else []
        )
        near = next(filter(None, (did_you_mean(str(k), ["experiments"]) for k in other)), "")
        raise OcckdError(f"{path}: a recipe needs a mapping with 'name' and 'experiments'{near}")
    try:
        defaults, own = raw.pop("defaults", None) or {}, raw["experiments"]
        raw["experiments"] = {name: experiment(name, own, defaults) for name in own}
        return Recipe.model_validate(raw)
    except ValidationError as error:
        known = {*Recipe.model_fields, *Experiment.model_fields}
        raise OcckdError(f"{path}: {first_error(error, known)}") from None
    except (ValueError, TypeError, OcckdError) as error:
        raise OcckdError(f"{path}: {error}") from None


def experiment(name: str, own: dict[str, Any], defaults: Any) -> dict[str, Any]:
    """Experiment ``name``, complete: laid over what it is ``like``, and its stages likewise."""
    content = inherited(name, own, mapping(defaults, "defaults"), "experiments")
    stages = {n: s for n, s in mapping(content.get("stages"), f"{name}.stages").items() if s}
    stages = {n: mapping(s, f"{name}.stages.{n}") for n, s in stages.items()}
    where = f"experiments.{name}.stages"
    content["stages"] = {n: like_stage(n, stages, where) for n in stages}
    ablations = mapping(content.get("ablations"), f"{name}.ablations")
    content["ablations"] = {n: a for n, a in ablations.items() if a is not None}
    return content


def like_stage(name: str, stages: dict[str, Any], where: str) -> dict[str, Any]:
    """A stage laid over the one that it is ``like``, whose method it is, too."""
    model = stages[name].get("like")
    content = inherited(name, stages, {}, where)
    return content if model is None else {"method": model, **content}


def inherited(
    name: str, own: dict[str, Any], defaults: dict[str, Any], where: str
) -> dict[str, Any]:
    """``own[name]`` laid over the entry above it that it is ``like``, or over the defaults."""
    content = dict(mapping(own[name], f"{where}.{name}"))
    model = content.pop("like", None)
    if model is None:
        return merge(defaults, content)
    above = list(own)[: list(own).index(name)]
    if model not in above:
        near = did_you_mean(str(model), map(str, above))
        raise OcckdError(f"{where}.{name}.like: nothing called {model!r} above it{near}")
    return merge(inherited(model, own, defaults, where), content)


def mapping(value: Any, where: str) -> dict[str, Any]:
    """``value`` if it is a mapping, {} for nothing; OcckdError otherwise."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OcckdError(f"{where}: expected a mapping, found {str(value)[:60]!r}")
    return value
