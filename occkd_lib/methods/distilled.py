"""What all methods that learn from a frozen teacher have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import nn

from occkd_lib.losses.task import TaskLoss
from occkd_lib.methods.base import Stage
from occkd_lib.methods.fitted import Fitted, FittedSettings
from occkd_lib.models import FaceNet
from occkd_lib.models.cost import Cost
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher


class DistilledSettings(FittedSettings):
    """teacher: the stage that teaches. start: by default the student that saw no teacher.

    lam: weight of the distillation term in ``blend``.
    """

    teacher: str = "teacher"
    start: str | None = "student"
    lam: float = Field(ge=0, le=1)


class Distilled(Fitted):
    """Train a student beside a frozen teacher."""

    distils = True

    def needs(self, settings: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.teachers(settings), *super().needs(settings))))

    def teachers(self, settings: Any) -> tuple[str, ...]:
        return (settings.teacher,)

    def trained_on(self, stage: Stage) -> tuple[str, ...]:
        return (stage.parents[stage.settings.teacher].view, stage.view)

    def row_title(self, stage: Stage) -> str:
        return self.title + (", linear adapter" if self.adapts(stage) else "")

    def adapts(self, stage: Stage) -> bool:
        """Does the objective compare embeddings, and are the two networks' of different widths?"""
        teacher = stage.parents[stage.settings.teacher].network
        if stage.network == teacher:
            return False
        return stage.network.embedding_dim() != teacher.embedding_dim()

    def flop(
        self, settings: Any, train: int, val: int, cost: Cost, teachers: Sequence[Cost]
    ) -> float:
        windows = settings.own_network is not None and settings.own_network.resize
        looks = settings.epochs if windows else 2  # live, or both orientations once
        asked = looks * train * sum(teacher.forward for teacher in teachers)
        return super().flop(settings, train, val, cost, teachers) + asked


class DistilledObjective(Objective):
    """The task loss on the student's view, and what a frozen teacher says of the same faces."""

    def __init__(
        self, task_loss: TaskLoss, view: str, teacher: FrozenTeacher, settings: Any
    ) -> None:
        super().__init__(task_loss, view)
        self.teacher, self.settings = teacher, settings


def adapter(student: FaceNet, teacher: FrozenTeacher) -> nn.Module:
    """From the student's embeddings to the teacher's width: a linear layer, trained with the
    student (Romero et al.'s regressor); nothing where the widths agree."""
    width, theirs = student.embedding_dim, teacher.teacher.embedding_dim
    return nn.Identity() if width == theirs else nn.Linear(width, theirs)
