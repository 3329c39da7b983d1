"""A stage is its objective: a function from (student, batch) to a loss."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.config import StandardSettings, TripletSettings
from occkd_lib.losses import blend, hint_loss, soft_target_loss, triplet_kd_loss
from occkd_lib.mining import Triplets, mine_hard_triplets, mine_random_triplets
from occkd_lib.models.base import FaceNet
from occkd_lib.tasks import TaskSpec
from occkd_lib.training.batches import Batch
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.views import Views


class Objective(Protocol):
    """What ``fit`` minimises."""

    def start_epoch(self, student: FaceNet, epoch: int) -> None: ...

    def __call__(self, student: FaceNet, batch: Batch) -> Tensor: ...


def task_loss(task: TaskSpec, label_rule: str | None, output: Tensor, batch: Batch) -> Tensor:
    """The loss against the ground truth; FER+'s soft label rules have their own forms."""
    if batch.soft_target is None:
        return task.loss(output, batch.target)
    if label_rule == "multi_target":  # official: -log of the best accepted class
        accepted = output.float().softmax(1) * (batch.soft_target > 0)
        return -accepted.amax(1).clamp_min(1e-12).log().mean()
    return F.cross_entropy(output.float(), batch.soft_target)


class TaskObjective:
    """Teacher (visible="full"), student and control: the task loss alone."""

    def __init__(self, task: TaskSpec, visible: str, label_rule: str | None) -> None:
        self.task, self.visible, self.label_rule = task, visible, label_rule

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        """Nothing to prepare."""

    def __call__(self, student: FaceNet, batch: Batch) -> Tensor:
        output = student(batch.inputs(self.visible)).output
        return task_loss(self.task, self.label_rule, output, batch)


class StandardObjective(TaskObjective):
    """Conventional teacher-student training: Eq. 1-2 (soft targets) or Eq. 3 (hints)."""

    def __init__(
        self,
        task: TaskSpec,
        visible: str,
        label_rule: str | None,
        teacher: FrozenTeacher,
        settings: StandardSettings,
    ) -> None:
        super().__init__(task, visible, label_rule)
        self.teacher, self.settings = teacher, settings

    def __call__(self, student: FaceNet, batch: Batch) -> Tensor:
        s = self.settings
        seen, known = student(batch.inputs(self.visible)), self.teacher.of(batch)
        if s.kind == "soft_targets":
            distillation = soft_target_loss(
                seen.output, known.output, s.tau, tau_squared=s.tau_squared
            )
        else:
            distillation = hint_loss(seen.embedding, known.embedding, reduction=s.hint_reduction)
        task = task_loss(self.task, self.label_rule, seen.output, batch)
        return blend(task, distillation, s.lam)


class TripletObjective(TaskObjective):
    """Teacher-student training with triplet loss: Eq. 4-7."""

    def __init__(
        self,
        task: TaskSpec,
        visible: str,
        label_rule: str | None,
        teacher: FrozenTeacher,
        settings: TripletSettings,
        views: Views,
        compute: Compute,
        seed: int,
    ) -> None:
        super().__init__(task, visible, label_rule)
        self.teacher, self.settings = teacher, settings
        self.views, self.compute, self.seed = views, compute, seed
        self.targets = views.faces.targets.to(views.device)
        self.triplets: Triplets | None = None

    def embedded(self, embedding: Tensor) -> Tensor:
        """The space distances are measured in: raw, or the unit sphere."""
        embedding = embedding.float()
        return F.normalize(embedding) if self.settings.normalize else embedding

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        """Mine this epoch's triplets with the weights of its beginning (Eq. 6-7)."""
        s = self.settings
        miner = mine_hard_triplets if s.mining == "hard" else mine_random_triplets
        seen = predict(student, self.views, self.visible, compute=self.compute).embedding
        self.triplets = miner(
            self.embedded(seen),
            self.embedded(self.teacher.embedding[0]),
            self.targets,
            fraction=s.fraction,
            max_target_gap=s.max_target_gap,
            generator=torch.Generator().manual_seed(self.seed * 100_003 + epoch),
        )

    def __call__(self, student: FaceNet, batch: Batch) -> Tensor:
        assert self.triplets is not None, "start_epoch() mines the triplets first"
        s = self.settings
        positive = self.teacher.embedding[batch.flipped.long(), self.triplets.positive[batch.index]]
        hidden = [
            batch.inputs(self.visible),
            batch.inputs(self.visible, self.triplets.negative[batch.index]),
        ]
        both = student(torch.cat(hidden))
        anchor, negative = both.embedding.chunk(2)
        distillation = triplet_kd_loss(
            self.embedded(anchor),
            self.embedded(positive),
            self.embedded(negative),
            alpha=s.alpha,
            squared=s.squared,
        )
        task = task_loss(self.task, self.label_rule, both.output[: len(anchor)], batch)
        return blend(task, distillation, s.lam, keep_task_weight=s.keep_task_weight)
