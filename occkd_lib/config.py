"""Recipes: typed, validated hyperparameters, read from YAML.

A recipe is a set of experiments (data set x task x network). What they share stands once under
``defaults``, what two of them share is taken over by ``like: name``; an experiment repeats only
what differs. All are merged key by key.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from occkd_lib.errors import OcckdError

Visible = Literal["lower", "upper", "full"]
Task = Literal["expression", "gender", "age"]
LabelRule = Literal["majority", "crossentropy", "probability", "multi_target"]
Start = Literal["student", "teacher"]  # whose weights a distilled student begins with
ARMED = ("control", "standard", "triplet")  # stages that have arms
Arm = dict[str, str | int | float | bool]  # settings of a stage that differ from the recipe's


class Settings(BaseModel):
    """Unknown keys are errors: a misspelt hyperparameter must never be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Settings):
    """Which faces. ``labels`` is required for FER+ and meaningless elsewhere."""

    name: str
    labels: LabelRule | None = None
    split_seed: int = 0
    faces: int | None = Field(None, ge=60, description="number of built-in faces to draw")

    @model_validator(mode="after")
    def _label_rule_where_it_belongs(self) -> DataSettings:
        if (self.labels is None) == (self.name == "ferplus"):
            verb = "needs" if self.name == "ferplus" else "takes no"
            raise ValueError(f"data set {self.name!r} {verb} label rule ('labels')")
        return self


class NetworkSettings(Settings):
    """Which network; ``init`` names pretrained weights ('random' for none)."""

    name: str
    input_size: int | None = Field(None, ge=16)
    channels: Literal[1, 3] | None = None
    width: int | None = Field(None, ge=4, description="first-layer channels (compact only)")
    init: str = "random"
    dropout: float | None = Field(None, ge=0, lt=1)


class StageSettings(Settings):
    """Optimisation of one stage. ``epochs`` and ``lr`` have no default: they must be chosen."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "plateau", "onecycle"] = "plateau"
    plateau_patience: int = Field(10, ge=1)
    plateau_factor: float = Field(0.1, gt=0, lt=1)
    final_lr: float | None = Field(None, gt=0, description="floor of the plateau schedule")
    select: Literal["best", "last"] = "best"
    tune: tuple[Arm, ...] = Field((), description="arms; the best on validation is the stage")


class StandardSettings(StageSettings):
    """Conventional teacher-student training: soft targets (Eq. 1-2) or hints (Eq. 3)."""

    kind: Literal["soft_targets", "hint"]
    start: Start = "student"
    lam: float = Field(ge=0, le=1)
    tau: float = Field(20.0, gt=0)
    tau_squared: bool = False
    hint_reduction: Literal["mean", "sum"] = "mean"


class TripletSettings(StageSettings):
    """Teacher-student training with triplet loss (Eq. 4-7)."""

    start: Start = "student"
    lam: float = Field(ge=0, le=1)
    alpha: float = Field(ge=0)
    squared: bool = True
    fraction: float = Field(0.1, gt=0, le=1, description="size of the mining pools")
    max_target_gap: float | None = Field(None, gt=0, description="years, age only")
    normalize: bool = Field(False, description="L2-normalise embeddings first")
    keep_task_weight: bool = Field(False, description="CE + lam * triplet, the ICPR form")
    mining: Literal["hard", "random"] = "hard"


class FusionSettings(Settings):
    """SVM / SVR on concatenated embeddings; C is chosen on validation."""

    C: tuple[float, ...] = (0.1, 1, 10, 100, 1000)
    epsilon: float = Field(0.0, ge=0)
    standardize: bool = False


class Ablation(Settings):
    """One question to a stage: it is trained again for every arm, all else being equal.

    question: what the table of this ablation answers. arms: the settings that an arm changes; the
    others are compared with the first. control: how the control is changed to be as long as they.
    """

    question: str
    stage: Literal["standard", "triplet"]
    arms: tuple[Arm, ...] = Field(min_length=2)
    control: Arm = {}

    def stages(self) -> tuple[str, ...]:
        """The arms as names of stages, and last the control: ``triplet@alpha=0.1``."""
        arms = (arm_stage(self.stage, arm) for arm in self.arms)
        return (*arms, arm_stage("control", self.control))


class Stages(Settings):
    teacher: StageSettings
    student: StageSettings
    control: StageSettings
    standard: StandardSettings
    triplet: TripletSettings


class Experiment(Settings):
    """One column of a results table: a data set, a task, a network, the visible half."""

    data: DataSettings
    task: Task
    visible: Literal["lower", "upper"]
    network: NetworkSettings
    seeds: tuple[int, ...] = (0,)
    batch_size: int = Field(128, ge=2)
    precision: Literal["fp32", "bf16"] = "fp32"
    both_halves: bool = Field(True, description="also train a student on the other half")
    flip: bool = True
    shift: int = Field(0, ge=0, le=16, description="random shift in pixels; needs a live teacher")
    stages: Stages
    fusion: FusionSettings = FusionSettings()
    ablations: dict[str, Ablation] = {}
    ablation_seeds: tuple[int, ...] | None = Field(None, description="default: all seeds")

    def ablations_of(self, seed: int) -> dict[str, Ablation]:
        """The ablations whose arms are trained with ``seed``."""
        wanted = self.ablation_seeds is None or seed in self.ablation_seeds
        return self.ablations if wanted else {}

    @model_validator(mode="after")
    def _soft_targets_need_a_softmax(self) -> Experiment:
        if self.stages.standard.kind == "soft_targets" and self.task != "expression":
            one = f"task {self.task!r} has one output, so no softmax"
            raise ValueError(f"{one}: stages.standard.kind must be hint")
        return self

    @model_validator(mode="after")
    def _arms_are_settings(self) -> Experiment:
        for name in Stages.model_fields:
            if getattr(self.stages, name).tune and name not in ARMED:
                raise ValueError(f"stages.{name} cannot be tuned: what follows builds on it")
        for name in ARMED:
            tuned_arms(self, name)
        for ablation in self.ablations.values():
            for stage in ablation.stages():
                stage_settings(self, stage)
        return self

    @model_validator(mode="after")
    def _affectnet_has_no_validation_split(self) -> Experiment:
        if self.data.name == "affectnet":
            stages = (getattr(self.stages, name) for name in Stages.model_fields)
            chosen = any(stage.select != "last" or stage.tune for stage in stages)
            if chosen or len(self.fusion.C) > 1:
                raise ValueError(
                    "affectnet has no validation split: every stage needs 'select: last' and no "
                    "'tune', and fusion.C one value"
                )
        return self

    @model_validator(mode="after")
    def _age_needs_a_gap(self) -> Experiment:
        gap = self.stages.triplet.max_target_gap
        if (gap is None) == (self.task == "age"):
            verb = "needs" if self.task == "age" else "takes no"
            raise ValueError(f"task {self.task!r} {verb} stages.triplet.max_target_gap")
        return self


class Recipe(Settings):
    """A named set of experiments. ``recipe.experiments["fer"].stages.triplet.lam``"""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str
    experiments: dict[str, Experiment] = Field(min_length=1)

    def experiment(self, name: str) -> Experiment:
        """The experiment called ``name``, or an error that lists the names there are."""
        if name not in self.experiments:
            names = ", ".join(self.experiments)
            raise OcckdError(f"recipe {self.name!r} has no experiment {name!r}; it has: {names}")
        return self.experiments[name]


def arm_stage(stage: str, arm: Arm) -> str:
    """``triplet`` with the settings of ``arm`` as the name of a stage: ``triplet@alpha=0.1``."""
    changes = (f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in arm.items())
    return f"{stage}@{','.join(changes)}" if arm else stage


def parse_stage(stage: str) -> tuple[str, Arm]:
    """The inverse of ``arm_stage``; a stage without ``@`` changes nothing.

    Raises OcckdError for an arm that is not ``name=value,name=value``.
    """
    base, at, changes = stage.partition("@")
    arm = {}
    for change in changes.split(",") if at else ():
        key, equals, value = change.partition("=")
        if not (key and equals and value):
            raise OcckdError(f"stage {stage!r}: write {base}@setting=value,setting=value")
        try:
            arm[key] = json.loads(value)
        except ValueError:  # a name, as in mining=random
            arm[key] = value
    return base, arm


def stage_settings(experiment: Experiment, stage: str) -> StageSettings | FusionSettings:
    """The settings of a stage, or of an arm of it (``triplet@alpha=0.1``).

    Raises ValueError for a setting that the stage does not have, or a value it cannot take.
    """
    base, arm = parse_stage(stage)
    kind = "student" if base.startswith("student_") else base
    settings = experiment.fusion if kind == "fusion" else getattr(experiment.stages, kind)
    if not arm:
        return settings
    try:
        return type(settings).model_validate({**settings.model_dump(), "tune": (), **arm})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{stage}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def tuned_arms(experiment: Experiment, stage: str) -> tuple[str, ...]:
    """The arms of a stage that is tuned on validation, as names of stages; () for any other.

    Raises ValueError for a setting that the stage does not have, or a value it cannot take.
    """
    if stage not in ARMED:
        return ()
    arms = tuple(arm_stage(stage, arm) for arm in getattr(experiment.stages, stage).tune)
    for arm in arms:
        stage_settings(experiment, arm)
    return arms


def builtin_recipes() -> list[str]:
    """Names of the recipes that come with the library."""
    folder = resources.files("occkd_lib") / "recipes"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def load_recipe(recipe: str | Path) -> Recipe:
    """Read a built-in recipe by name, or any recipe file by its path.

    Raises OcckdError that names the file and the key when a key is unknown or a value is wrong.
    """
    if str(recipe) in builtin_recipes():
        path = Path(str(resources.files("occkd_lib") / "recipes" / f"{recipe}.yaml"))
    else:
        path = Path(recipe)
    if not path.is_file():
        names = ", ".join(builtin_recipes())
        raise OcckdError(f"no recipe {str(recipe)!r}: give a file, or one of {names}")
    try:
        raw = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise OcckdError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("experiments"), dict):
        raise OcckdError(f"{path}: a recipe needs a mapping with 'name' and 'experiments'")
    defaults, own = raw.pop("defaults", {}), raw["experiments"]
    raw["experiments"] = {name: complete(name, own, defaults, path) for name in own}
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise OcckdError(f"{path}: {where}: {first['msg']}{more}") from None


def complete(
    name: str, own: dict[str, Any], defaults: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Experiment ``name`` laid over the one it is ``like``, or over the defaults."""
    content = dict(own[name] or {})
    model = content.pop("like", None)
    if model is None:
        return merge(defaults, content)
    if model not in own or list(own).index(model) >= list(own).index(name):
        raise OcckdError(f"{path}: experiments.{name}.like: no experiment {model!r} above it")
    return merge(complete(model, own, defaults, path), content)


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
