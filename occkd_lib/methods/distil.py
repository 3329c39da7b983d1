"""Step 3 by any of the field's losses, or several: task loss + sum of weight x term."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import SerializeAsAny, ValidationError, field_validator
from torch import Tensor, nn

from occkd_lib.losses.task import TaskLoss
from occkd_lib.methods.base import Job, Stage
from occkd_lib.methods.distilled import Distilled, adapter
from occkd_lib.methods.fitted import FittedSettings
from occkd_lib.methods.terms import TERMS, Called, Term, Triplets
from occkd_lib.methods.triplet import TripletTerm
from occkd_lib.models import FaceNet
from occkd_lib.models.cost import Cost
from occkd_lib.plugins import resolve
from occkd_lib.settings import first_error
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher


class DistilSettings(FittedSettings):
    """terms: name of TERMS (or a Term of one's own) -> its settings, weight among them.

    triplets: the journal's triplets as a further term.
    """

    method: Literal["distil"] = "distil"
    teacher: str = "teacher"
    start: str | None = "student"
    terms: dict[str, SerializeAsAny[Term]] = {}
    triplets: Triplets | None = None

    @field_validator("terms", mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            raise ValueError("a mapping from names of terms to their settings")
        return {str(name): _term(str(name), given) for name, given in raw.items()}


def _term(name: str, given: Any) -> Term:
    kind = resolve("term", name, TERMS)
    if not (isinstance(kind, type) and issubclass(kind, Term)):
        raise ValueError(f"term {name!r} is no Term (see occkd_lib.methods.terms.Term)")
    try:
        return given if isinstance(given, Term) else kind.model_validate(given)
    except ValidationError as error:
        raise ValueError(f"{name}: {first_error(error, kind.model_fields)}") from None


class Distil(Distilled):
    """The losses that followed the journal's two, each in the place of theirs."""

    name = "distil"
    title = "distillation"
    settings = DistilSettings
    color = 5
    few_labels = True

    def check(self, settings: DistilSettings, task: Task, **known: Any) -> None:
        super().check(settings, task, **known)
        if not (settings.terms or settings.triplets):
            raise ValueError("no terms: nothing is learnt from the teacher")
        for name, term in settings.terms.items():
            try:
                term.check(task)
            except ValueError as error:
                raise ValueError(f"terms.{name}: {error}") from None
        if settings.triplets:
            settings.triplets.check(task)

    def adapts(self, stage: Stage) -> bool:
        s = stage.settings
        wants = s.triplets or any(term.same_width for term in s.terms.values())
        return bool(wants) and super().adapts(stage)

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        settings, view = job.stage.settings, job.stage.view
        teacher = job.teacher(settings.teacher, batches.views)
        terms = {
            name.replace(".", "_"): Called(
                term, adapter(model, teacher) if term.same_width else nn.Identity()
            )
            for name, term in settings.terms.items()
        }
        triplets = None
        if settings.triplets:
            triplets = TripletTerm(
                settings.triplets, teacher, view, adapter=adapter(model, teacher),
                batches=batches, decide=job.task.decide, compute=job.compute, seed=job.seed,
            )  # fmt: skip
        return DistilObjective(
            task_loss, view, teacher, settings, terms, triplets, decide=job.task.decide
        )

    def flop(
        self, settings: Any, train: int, val: int, cost: Cost, teachers: Sequence[Cost]
    ) -> float:
        more = settings.epochs * train * (cost.training + cost.forward) if settings.triplets else 0
        return super().flop(settings, train, val, cost, teachers) + more  # as Triplet.flop


class DistilObjective(Objective):
    """The task loss, and what each term makes of the batch's own faces."""

    def __init__(
        self,
        task_loss: TaskLoss,
        view: str,
        teacher: FrozenTeacher,
        settings: DistilSettings,
        terms: Mapping[str, Called],
        triplets: TripletTerm | None,
        *,
        decide: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(task_loss, view)
        self.teacher, self.settings, self.decide = teacher, settings, decide
        self.terms, self.triplets = nn.ModuleDict(dict(terms)), triplets

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        if self.triplets:
            self.triplets.mine(student, epoch)

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        if self.triplets and self.settings.triplets:
            seen, triplets = self.triplets(student, batch)
            loss = self.task(seen, batch.known) + self.settings.triplets.weight * triplets
            if not self.terms:
                return loss
            if batch.labelled is not None:  # the triplets' faces are others than the terms'
                seen = student(batch.inputs(self.view))
        else:
            seen = student(batch.inputs(self.view))
            loss = self.task_beside(student, seen, batch)
        known = self.teacher.of(batch)
        # where only some labels are known, the teacher's word stands for all of them
        target = batch.target if batch.labelled is None else self.decide(known.output)
        for term in self.terms.values():
            loss = loss + term(seen, known, target)
        return loss
