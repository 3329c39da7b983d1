"""The demo recipe at toy size: a whole experiment takes seconds."""

from __future__ import annotations

from typing import Any

from occkd_lib.config import Recipe, load_recipe, merge

HALVES = ("expression", "gender", "age")
EDUCATION = ("education", "education_street", "together")
TINY: dict[str, Any] = {
    "data": {"faces": 120},
    "network": {"width": 4, "input_size": 32},
    "batch_size": 16,
    "stages": {
        **{stage: {"epochs": 2} for stage in ("teacher", "student", "standard", "triplet")},
        "other_half": {"epochs": 2},
        "fusion": {"C": [0.1, 1.0]},
    },
}


def tiny_recipe(**change: Any) -> Recipe:
    """The demo recipe's half faces at toy size, with ``change`` laid over every experiment."""
    recipe = load_recipe("demo")
    change = merge(TINY, change)
    experiments = {name: recipe.experiments[name].varied(change) for name in HALVES}
    return Recipe(name="tiny", description="toy size", experiments=experiments)


def tiny_education(**change: Any) -> Recipe:
    """Its emotional education at toy size: one epoch a stage, small faces and networks."""
    recipe = load_recipe("demo")
    experiments = {}
    for name in EDUCATION:
        experiment = recipe.experiments[name]
        small: dict[str, Any] = {"data": {"faces": 120}, "batch_size": 16, "stages": {}}
        small["network"] = {"width": 4, "input_size": 32}
        for stage, settings in experiment.stages.items():
            own = {"network": {"width": 4, "input_size": 32}} if settings.own_network else {}
            short = {} if settings.controls else {"epochs": 1}
            small["stages"][stage] = {**own, **short}
        elsewhere = [{**data.model_dump(), "faces": 120} for data in experiment.test_on]
        small["test_on"] = elsewhere
        experiments[name] = experiment.varied(merge(small, change))
    return Recipe(name="tiny", description="toy size", experiments=experiments)
