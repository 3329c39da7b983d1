"""Step 3, conventional: soft targets (journal, Eq. 1-2) or hints (Eq. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from occkd_lib.losses import blend, hint_loss, soft_target_loss
from occkd_lib.losses.task import TaskLoss
from occkd_lib.methods.base import Job, Stage
from occkd_lib.methods.distilled import (
    Distilled,
    DistilledObjective,
    DistilledSettings,
    adapter,
)
from occkd_lib.models import FaceNet
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher


class StandardSettings(DistilledSettings):
    """kind: soft targets at temperature tau (Eq. 1-2), or hints (Eq. 3).

    with_teachers: more stages that teach; the soft targets are of all teachers' mean output, the
    geometric mean of their opinions (Hinton et al., Sect. 1).
    """

    method: Literal["standard"] = "standard"
    kind: Literal["soft_targets", "hint"]
    tau: float = Field(20.0, gt=0)
    tau_squared: bool = False
    hint_reduction: Literal["mean", "sum"] = "mean"
    with_teachers: tuple[str, ...] = Field((), exclude_if=lambda names: not names)


class Standard(Distilled):
    """Conventional teacher-student training."""

    name = "standard"
    title = "standard T-S"
    settings = StandardSettings
    published = {"journal": "standard_TS", "icpr2020": "standard_TS"}
    color = 0
    few_labels = True

    def check(self, settings: StandardSettings, task: Task, **known: Any) -> None:
        super().check(settings, task, **known)
        if settings.kind == "soft_targets" and not task.softmax:
            raise ValueError(f"task {task.name!r} has one output, so no softmax: kind must be hint")

        if settings.with_teachers and settings.kind == "hint":
            raise ValueError("with_teachers: embeddings of several networks have no mean: only "
                             "soft_targets can have several teachers")  # fmt: skip

    def teachers(self, settings: StandardSettings) -> tuple[str, ...]:
        return (*super().teachers(settings), *settings.with_teachers)

    def adapts(self, stage: Stage) -> bool:
        return stage.settings.kind == "hint" and super().adapts(stage)

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        settings = job.stage.settings
        teacher = job.teacher(settings.teacher, batches.views)
        if settings.kind == "soft_targets":
            more = [job.teacher(name, batches.views) for name in settings.with_teachers]
            return SoftTargetObjective(task_loss, job.stage.view, teacher, settings, more=more)
        return HintObjective(
            task_loss, job.stage.view, teacher, settings, adapter=adapter(model, teacher)
        )


class SoftTargetObjective(DistilledObjective):
    """Eq. 1-2: the teacher's softened predictions of the batch's own faces."""

    def __init__(self, *parts: Any, more: Sequence[FrozenTeacher] = ()) -> None:
        super().__init__(*parts)
        self.teachers = (self.teacher, *more)

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        s, seen = self.settings, student(batch.inputs(self.view))
        known = torch.stack([teacher.of(batch).output for teacher in self.teachers]).mean(0)
        distillation = soft_target_loss(seen.output, known, s.tau, tau_squared=s.tau_squared)
        return blend(self.task_beside(student, seen, batch), distillation, s.lam)


class HintObjective(DistilledObjective):
    """Eq. 3: the teacher's embeddings of the batch's own faces."""

    def __init__(self, *parts: Any, adapter: nn.Module) -> None:
        super().__init__(*parts)
        self.adapter = adapter

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        s, seen = self.settings, student(batch.inputs(self.view))
        distillation = hint_loss(
            self.adapter(seen.embedding),
            self.teacher.of(batch).embedding,
            reduction=s.hint_reduction,
        )
        return blend(self.task_beside(student, seen, batch), distillation, s.lam)
