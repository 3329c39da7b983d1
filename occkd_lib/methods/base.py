"""What a method declares of itself: settings, needs, views, rows of the tables, what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field

from occkd_lib.data import FaceSet
from occkd_lib.models import FaceNet, NetworkSettings
from occkd_lib.runs import Run
from occkd_lib.settings import Settings
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Moves
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import FrozenTeacher
from occkd_lib.training.views import Views

Arm = dict[str, str | int | float | bool]  # settings of a stage that differ from the recipe's


class StageSettings(Settings):
    """A stage of an experiment. ``method`` says which; a stage named like a method is one.

    view: what its network sees of a face; None for what the method usually sees. title: what tables
    call it; None for what the method is called.
    """

    method: str
    view: str | None = None
    title: str | None = None
    tune: tuple[Arm, ...] = Field(
        (), description="arms; the best on validation (tuning seeds) is the stage"
    )

    @property
    def begins_with(self) -> str | None:
        """The stage whose weights it begins with; None for new ones, and for no network."""
        return None

    @property
    def own_network(self) -> NetworkSettings | None:
        """The network of this stage, where it is not the experiment's."""
        return None

    @property
    def controls(self) -> tuple[str, ...]:
        """The stages that this one is the matched control of."""
        return ()


@dataclass(frozen=True)
class Row:
    """A line of the tables: what one stage predicts under one name.

    name: with ``view`` unique in an experiment; a stage's network is called as the stage is.
    stage: whose predictions.parquet holds it, under ``key``.
    method: name of the stage's method. title: in words ("{machine}" is the SVM or SVR). parts: the
    stages whose networks it uses. trained_on: the views of that training, the teacher's first.
    view: what it is tested on. student: row of the network before distillation, control: row of
    as much training without a teacher; None where there is none. published: paper -> its name in
    that paper's tables. color: its place in the palette.
    """

    name: str
    stage: str
    key: str
    method: str
    title: str
    parts: tuple[str, ...]
    trained_on: tuple[str, ...]
    view: str
    student: str | None = None
    control: str | None = None
    published: Mapping[str, str] = field(default_factory=dict)
    color: int = 0


@dataclass(frozen=True)
class Stage:
    """A stage among the others of its experiment, with everything about it resolved.

    network: what it trains (its own or the experiment's). view: what it sees. tested_on: views of
    the test. parents: those of ``method.needs``.
    """

    name: str
    method: Method
    settings: Any
    network: NetworkSettings
    view: str
    tested_on: tuple[str, ...]
    parents: Mapping[str, Stage]


@dataclass(frozen=True)
class Job:
    """A stage that is to be carried out: the stage, the faces, and the finished runs it needs.

    outputs: of a network for this task and these classes. faces: all splits. also_test: test faces
    of other data sets, in this one's classes. load: stage name -> its trained network. teacher:
    stage name, views of the training faces -> that network, frozen; kept between stages that share
    it.
    """

    stage: Stage
    task: Task
    outputs: int
    faces: FaceSet
    also_test: tuple[FaceSet, ...]
    seed: int
    batch_size: int
    flip: bool
    moves: Moves
    compute: Compute
    run: Run
    say: Callable[[str], None]
    load: Callable[[str], FaceNet]
    teacher: Callable[[str, Views], FrozenTeacher]


def student_of(stage: Stage) -> str | None:
    """The stage before distillation that this one's weights come from and that sees as much."""
    start = stage.parents.get(stage.settings.begins_with or "")
    if start is None:
        return None
    is_student = start.view == stage.view and not (start.method.distils or start.settings.controls)
    return start.name if is_student else student_of(start)


def control_of(name: str, stages: Mapping[str, Stage]) -> str | None:
    """The matched control of a stage: as much training from the same start, without a teacher."""
    return next((s.name for s in stages.values() if name in s.settings.controls), None)


class Method(ABC):
    """One way to make a network (or a machine) of an experiment; each file here declares one.

    settings: class of its stage's settings. title: in tables. published: paper -> the name of its
    row there. color: its place in the palette of all figures. makes_network: can others begin with
    it, learn from it or use its embeddings? distils: does it need a teacher?
    takes_over: settings that a control must share with the stages it is ``of``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[StageSettings]]
    published: ClassVar[Mapping[str, str]] = {}
    color: ClassVar[int] = 0
    makes_network: ClassVar[bool] = True
    distils: ClassVar[bool] = False
    takes_over: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def needs(self, settings: Any) -> tuple[str, ...]:
        """Names of the stages that must be done before: those that its settings name."""

    def teachers(self, settings: Any) -> tuple[str, ...]:
        """Those of them that are asked about its faces."""
        return ()

    def view(self, settings: StageSettings, visible: str) -> str:
        """What its network sees, where the experiment is about ``visible``."""
        return settings.view or visible

    def tested_on(self, stage_view: str, views: tuple[str, ...]) -> tuple[str, ...]:
        """Views it is tested on; ``views``: all that occur in the experiment."""
        return (stage_view,)

    def check(  # noqa: B027
        self, settings: Any, task: Task, *, has_validation: bool, network: NetworkSettings
    ) -> None:
        """Raise ValueError for settings that do not suit the task, the data or the network."""

    def check_control(self, settings: Any, control: Any) -> None:  # noqa: B027
        """Raise ValueError for settings of a control that differ in more than the teacher."""

    def check_parents(self, stage: Stage) -> None:  # noqa: B027
        """Raise OcckdError for parents that do not suit the stage."""

    @abstractmethod
    def carry_out(self, job: Job) -> dict[str, Any]:
        """Do it, and leave model and predictions in ``job.run``. Returns facts for its status."""

    @abstractmethod
    def rows(self, stage: Stage, stages: Mapping[str, Stage]) -> list[Row]:
        """Its lines in the tables; ``stages``: all of the experiment."""

    def flop(self, settings: Any, train: int, val: int, cost: Any, teachers: Any) -> float:
        """FLOP of the stage; cost, teachers: ``models.cost.Cost`` of its and its teachers' nets."""
        return 0.0
