"""An experiment: typed, validated hyperparameters of its stages, and what it asks with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from occkd_lib.config.arms import arm_name, changed, parse_arm
from occkd_lib.config.merge import merge
from occkd_lib.config.stage import as_long, method_of, named, parse_stage
from occkd_lib.data import DataSettings, data_set, parse_data
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Arm, Method, StageSettings
from occkd_lib.models import NetworkSettings
from occkd_lib.occlusion import occluder, visible_pixels
from occkd_lib.plugins import did_you_mean
from occkd_lib.settings import Settings
from occkd_lib.tasks import task_of
from occkd_lib.training.batches import Moves


class Ablation(Settings):
    """One question to a stage: it is trained again for every arm, all else being equal.

    question: what the table of this ablation answers. arms: the settings that an arm changes; the
    others are compared with the first. control: how the stage's control is changed to be as long.
    """

    question: str
    stage: str
    arms: tuple[Arm, ...] = Field(min_length=2)
    control: Arm = {}


class Experiment(Settings):
    """One column of a results table: a data set, a task, a network, what is visible, the stages.

    visible: what the students see, a view as ``occlusion`` names them; "full" where nothing is
    hidden. stages: name -> settings of its method, which ``method`` names (by default: its own
    name). test_on: other data sets, test_views: other views of the test faces that every network is
    tested on, too.
    """

    data: SerializeAsAny[DataSettings]
    test_on: tuple[SerializeAsAny[DataSettings], ...] = ()
    task: str
    visible: str = "full"
    test_views: tuple[str, ...] = ()
    network: NetworkSettings
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    tuning_seeds: tuple[int, ...] = Field((), description="arms of ``tune`` are chosen with these")
    batch_size: int = Field(128, ge=2)
    precision: Literal["fp32", "bf16"] = "fp32"
    flip: bool = True
    shift: int = Field(0, ge=0, le=16, description="random shift in pixels; needs a live teacher")
    scale: float = Field(
        0, ge=0, le=0.5, description="... share of size", exclude_if=lambda v: not v
    )
    tilt: float = Field(0, ge=0, le=45, description="... degrees", exclude_if=lambda v: not v)
    stages: dict[str, SerializeAsAny[StageSettings]] = Field(min_length=1)
    ablations: dict[str, Ablation] = {}
    ablation_seeds: tuple[int, ...] | None = Field(None, description="default: all seeds")
    chapters: tuple[str, ...] | None = Field(None, description="default: all that its stages suit")
    chapter_seeds: tuple[int, ...] | None = Field(
        None, min_length=1,
        description="chapters of one seed are executed for these, chapter 9 trains the rest (all)",
    )  # fmt: skip

    @field_validator("data", mode="before")
    @classmethod
    def _data_set(cls, raw: Any) -> Any:
        return raw if isinstance(raw, DataSettings) else parse_data(raw)

    @field_validator("test_on", mode="before")
    @classmethod
    def _data_sets(cls, raw: Any) -> Any:
        if not isinstance(raw, list | tuple):
            raise ValueError("a list of data sets")
        return tuple(r if isinstance(r, DataSettings) else parse_data(r) for r in raw)

    @field_validator("stages", mode="before")
    @classmethod
    def _methods(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            raise ValueError("stages must be a mapping from names to settings")
        return {str(n): parse_stage(str(n), as_long(str(n), s, raw)) for n, s in raw.items()}

    @field_validator("seeds", "tuning_seeds", "ablation_seeds", "chapter_seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if any(seed < 0 for seed in seeds or ()):
            raise ValueError("a seed is 0 or more")
        return seeds

    @model_validator(mode="after")
    def _everything_named_is_there(self) -> Experiment:
        for data in (self.data, *self.test_on):
            tasks = data_set(data.name).tasks
            if self.task not in tasks:
                known = ", ".join(tasks)
                near = did_you_mean(self.task, tasks)
                raise ValueError(f"data set {data.name!r} has no task {self.task!r}: {known}{near}")
        titles = [d.called or data_set(d.name).name for d in (self.data, *self.test_on)]
        if len(set(titles)) < len(titles):
            raise ValueError("test_on: two data sets of one name: tell them apart with 'called:'")
        for key, views in (("visible", (self.visible,)), ("test_views", self.test_views)):
            try:
                for view in views:
                    occluder(view)
            except (ValueError, OcckdError) as error:
                raise ValueError(f"{key}: {error}") from None
        for name, settings in self.stages.items():
            try:
                named(name)
                self._check(name, settings)
                if settings.tune and not self.method(name).makes_network:
                    raise ValueError("cannot be tuned: it trains no network")
                for arm in settings.tune:
                    changed(settings, arm)
                for other in (*self.method(name).needs(settings), *settings.controls):
                    if other not in self.stages:
                        near = did_you_mean(other, self.stages)
                        raise ValueError(f"there is no stage {other!r}{near}")
                    if not self.method(other).makes_network:
                        raise ValueError(f"{other!r} is a {self.method(other).name}: no network")
                self._control_matches(name, settings)
            except (ValueError, OcckdError) as error:
                raise ValueError(f"stages.{name}: {error}") from None
        tuned = [name for name, settings in self.stages.items() if settings.tune]
        if tuned and not self.tuning_seeds:
            raise ValueError(
                f"{', '.join(tuned)}: to choose among arms of 'tune', set tuning_seeds"
            )
        both = sorted({*self.tuning_seeds} & {*self.seeds})
        if both:
            raise ValueError(f"tuning_seeds: {both} would be chosen with and reported: take others")
        if not {*(self.chapter_seeds or ())} <= {*self.seeds}:
            raise ValueError(f"chapter_seeds: {self.chapter_seeds} are not all among the seeds")
        self.order()
        for name, ablation in self.ablations.items():
            try:
                self.ablation_stages(ablation)
            except (ValueError, OcckdError) as error:
                raise ValueError(f"ablations.{name}: {error}") from None
        return self

    @property
    def moves(self) -> Moves:
        """How far training faces are moved at random."""
        return Moves(self.shift, self.scale, self.tilt)

    def _check(self, stage: str, settings: StageSettings) -> None:
        """ValueError for settings that do not suit the method, the network or one another."""
        method, network = self.method(stage), settings.own_network or self.network
        view = method.view(settings, self.visible)
        occluder(view)
        has_validation = data_set(self.data.name).has_validation(self.data)
        task = task_of(self.task)
        method.check(settings, task, has_validation=has_validation, network=network)
        self._begins_alike(settings)
        if network.half:
            upper, lower = visible_pixels(view, 64, 64).split(32)
            if not (upper if network.half == "upper" else lower).any():
                raise ValueError(f"its network gets the {network.half} half, which {view!r} hides")

    def _begins_alike(self, settings: Any) -> None:
        """A stage that begins with another's weights has that one's network."""
        start = self.stages.get(settings.begins_with or "")
        ours, theirs = (
            (s.own_network or self.network).model_copy(update={"init": "random", "half": None})
            for s in (settings, start or settings)
        )
        if ours != theirs:
            raise ValueError(
                f"its network is not that of {settings.begins_with!r}, whose weights it begins "
                "with: set 'start: null' to begin with a new one"
            )

    def _control_matches(self, stage: str, control: Any) -> None:
        """A control that differs from its stage in more than the teacher controls nothing."""
        shared = self.method(stage).takes_over
        tuned = [{k: v for k, v in arm.items() if k in shared} for arm in control.tune]
        for name in control.controls:
            of = self.stages[name]
            ours, theirs = (
                (s.own_network or self.network).model_copy(update={"cosine_head": False})
                for s in (control, of)
            )
            if ours != theirs and self.method(name).makes_network:
                raise ValueError(f"its network is not that of {name!r}, whose control it is")
            self.method(name).check_control(of, control)
            trained = any(key in shared for arm in of.tune for key in arm)
            if trained and len(control.tune) < len(of.tune):
                raise ValueError(
                    f"{name!r} is chosen among {len(of.tune)} arms, its control among "
                    f"{len(control.tune)}: give it as many"
                )
            for arm in of.tune:
                part = {k: v for k, v in arm.items() if k in shared}
                if part and part not in tuned:
                    raise ValueError(
                        f"{name!r} is tuned in {', '.join(part)}: give its control the same arms"
                    )
            for key in shared:
                ours, theirs = getattr(control, key), getattr(of, key, None)
                if key == "view":
                    ours = self.method(stage).view(control, self.visible)
                    theirs = self.method(name).view(of, self.visible)
                if ours != theirs:
                    raise ValueError(
                        f"{key} is {ours}, but {theirs} in {name!r}, whose control it is: it must "
                        "have the same start and training; give each of them a control of its own"
                    )

    def method(self, stage: str) -> Method:
        """The method of a stage, or of an arm of one."""
        return method_of(self.stages[parse_arm(stage)[0]].method)

    def settings(self, stage: str) -> StageSettings:
        """The settings of a stage or of an arm; OcckdError for one that there cannot be."""
        name, arm = parse_arm(stage)
        if name not in self.stages:
            near = did_you_mean(name, self.stages)
            raise OcckdError(f"no stage {name!r}{near}; stages are {', '.join(self.stages)}")
        if not arm:  # checked when the experiment was made
            return self.stages[name]
        if not self.method(name).makes_network:
            raise OcckdError(f"stage {name!r} has no arms: it trains no network")
        try:
            settings = changed(self.stages[name], arm)
            self._check(name, settings)
            return settings
        except ValueError as error:
            raise OcckdError(f"{stage}: {error}") from None

    def tuned_arms(self, stage: str) -> tuple[str, ...]:
        """The arms of a stage that is tuned on validation; () for any other, and for an arm."""
        settings = self.stages.get(stage)
        return tuple(arm_name(stage, arm) for arm in settings.tune) if settings else ()

    def control_of(self, stage: str) -> str | None:
        """The stage that is the matched control of ``stage``."""
        return next((n for n, s in self.stages.items() if stage in s.controls), None)

    def ablation_stages(self, ablation: Ablation) -> tuple[str, ...]:
        """The arms of an ablation as names of stages, and last its control, if it has one."""
        for arm in ablation.arms:
            missing = ", ".join(sorted(ablation.arms[0].keys() - arm.keys()))
            if missing:
                raise ValueError(f"arm {arm} does not say {missing}, which the first arm changes")
        names = [arm_name(ablation.stage, arm) for arm in ablation.arms]
        control = self.control_of(ablation.stage)
        if control:
            names.append(arm_name(control, ablation.control))
        for name in names:
            self.settings(name)
        return tuple(names)

    @property
    def told_seeds(self) -> tuple[int, ...]:
        """Seeds with chapters of their own."""
        return self.chapter_seeds or self.seeds

    @property
    def quiet_seeds(self) -> tuple[int, ...]:
        """Seeds without."""
        return tuple(seed for seed in self.seeds if seed not in self.told_seeds)

    def ablations_of(self, seed: int) -> dict[str, Ablation]:
        """The ablations whose arms are trained with ``seed``."""
        asked = self.ablation_seeds is None or seed in self.ablation_seeds
        return self.ablations if asked else {}

    def order(self) -> tuple[str, ...]:
        """The stages, each after those it needs; ValueError where they need one another."""
        done: dict[str, None] = {}
        while len(done) < len(self.stages):
            ready = [
                name for name, settings in self.stages.items()
                if name not in done and all(n in done for n in self.method(name).needs(settings))
            ]  # fmt: skip
            if not ready:
                rest = ", ".join(name for name in self.stages if name not in done)
                raise ValueError(f"stages: {rest} need one another")
            done[ready[0]] = None
        return tuple(done)

    def varied(self, change: dict[str, Any]) -> Experiment:
        """The experiment with ``change`` laid over it; controls follow the stages they are of."""
        content = self.model_dump(mode="json")
        for name, stage in content["stages"].items():
            for key in self.method(name).takes_over if self.stages[name].controls else ():
                del stage[key]
        return Experiment.model_validate(merge(content, change))
