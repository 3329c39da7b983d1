"""STSN, the self-taught student of emotional education (Li et al., Eq. 5-8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.losses import opinion_loss, representation_loss
from occkd_lib.losses.task import LossChoice, TaskLoss
from occkd_lib.methods.base import Job, Stage
from occkd_lib.methods.distilled import Distilled, DistilledObjective, adapter
from occkd_lib.methods.ktn import CoarseFine, CoarseSettings, coarse_cross_entropy, shares_of
from occkd_lib.methods.triplet import TripletTerm, TripletTermSettings
from occkd_lib.models import FaceNet, NetworkSettings
from occkd_lib.models.cost import Cost
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.objective import Objective


class TripletShare(TripletTermSettings):
    """lam: weight of the triplet loss beside the other terms."""

    lam: float = Field(gt=0)


class StsnSettings(CoarseSettings):
    """Eq. 8: lam_d L_D + lam_s L_S + lam_1 CE(fine) + lam_2 CE(coarse).

    teacher: a KTN, or any other: networks without coarse stream leave out what is about it, and
    lam_2 must be 0. representation: L_D's mean square error is a "mean" over the features, or a
    "sum" (the literal 1/M). temperature: of the opinions in Eq. 6-7. triplets: the journal's
    triplet loss as a further term; not in the paper.
    """

    method: Literal["stsn"] = "stsn"
    teacher: str = "ktn"
    lam_d: float = Field(1.0, ge=0)
    lam_s: float = Field(1.0, ge=0)
    lam_1: float = Field(3.0, ge=0)
    lam_2: float = Field(1.0, ge=0)
    temperature: float = Field(1.0, gt=0)
    representation: Literal["mean", "sum"] = "mean"
    triplets: TripletShare | None = None


class Stsn(CoarseFine, Distilled):
    """Emotional education's transfer, from any teacher that saw more."""

    name = "stsn"
    title = "STSN"
    settings = StsnSettings
    color = 4
    few_labels = True

    def check(
        self, settings: StsnSettings, task: Task, *, has_validation: bool, network: NetworkSettings
    ) -> None:
        super().check(settings, task, has_validation=has_validation, network=network)
        if settings.lam_2 and not network.has_coarse:
            raise ValueError(
                "its network has no coarse stream: set 'streams: shared' in it, or lam_2: 0"
            )
        if not (settings.lam_d or settings.lam_s or settings.triplets):
            raise ValueError("lam_d and lam_s are 0: nothing is learnt from the teacher")
        if settings.triplets:
            settings.triplets.check(task)

    def check_control(self, settings: StsnSettings, control: Any) -> None:
        super().check_control(settings, control)
        coarse = getattr(control, "lam_c", 0.0)
        if coarse != settings.lam_2:
            raise ValueError(f"lam_c is {coarse}, but lam_2 {settings.lam_2} where it is control")
        loss = control.loss or LossChoice(name="cross_entropy")
        if settings.loss is None and coarse:  # the loss's scale beside the coarse labels' counts
            weight = loss.parameters.get("weight", 1.0)
            if loss.name != "cross_entropy" or weight != settings.lam_1:
                raise ValueError(
                    f"its loss must be {{name: cross_entropy, weight: {settings.lam_1:g}}}, lam_1 "
                    "of the stage whose control it is"
                )

    def check_parents(self, stage: Stage) -> None:
        teacher = stage.parents[stage.settings.teacher]
        if stage.network.has_coarse and not teacher.network.has_coarse:
            raise OcckdError(
                f"{stage.name} has a coarse stream, its teacher {teacher.name!r} has none: give "
                "both of them streams, or neither"
            )

    def flop(
        self, settings: Any, train: int, val: int, cost: Cost, teachers: Sequence[Cost]
    ) -> float:
        more = settings.epochs * train * (cost.training + cost.forward) if settings.triplets else 0
        return super().flop(settings, train, val, cost, teachers) + more  # as Triplet.flop

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        settings, view = job.stage.settings, job.stage.view
        teacher = job.teacher(settings.teacher, batches.views)
        bridge = adapter(model, teacher)
        triplets = None
        if settings.triplets:
            triplets = TripletTerm(
                settings.triplets, teacher, view, adapter=bridge, batches=batches,
                decide=job.task.decide, compute=job.compute, seed=job.seed,
            )  # fmt: skip
        shares = shares_of(batches.views.faces.classes, settings.contempt)
        return StsnObjective(
            task_loss, view, teacher, settings, shares=shares, adapter=bridge, triplets=triplets
        )


class StsnObjective(DistilledObjective):
    """Eq. 8 (and triplets, if asked for)."""

    shares: Tensor

    def __init__(
        self, *parts: Any, shares: Tensor, adapter: nn.Module, triplets: TripletTerm | None
    ) -> None:
        super().__init__(*parts)
        self.register_buffer("shares", shares)
        self.adapter, self.triplets = adapter, triplets

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        if self.triplets:
            self.triplets.mine(student, epoch)

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        s, known = self.settings, self.teacher.of(batch)
        loss = torch.zeros((), device=known.output.device)
        if self.triplets:
            told, pulled = self.triplets(student, batch)  # what it says of labelled faces
            loss = s.triplets.lam * pulled
            seen = told
            if batch.labelled is not None and (s.lam_d or s.lam_s):
                seen = student(batch.inputs(self.view))
        else:
            seen = student(batch.inputs(self.view))
            told = seen if batch.labelled is None else student(batch.labelled.inputs(self.view))
        loss = loss + s.lam_1 * self.task(told, batch.known)
        if told.coarse is not None and s.lam_2:
            loss = loss + s.lam_2 * coarse_cross_entropy(told, batch.known, self.shares)
        if s.lam_d:
            loss = loss + s.lam_d * representation_loss(  # Eq. 5
                self.adapter(seen.embedding), known.embedding, reduction=s.representation
            )
        if s.lam_d and seen.coarse is not None and known.coarse is not None:
            loss = loss + s.lam_d * self.opinion(seen.coarse, known.coarse)  # Eq. 6
        if s.lam_s:
            loss = loss + s.lam_s * self.opinion(seen.output, known.output)  # Eq. 7
        return loss

    def opinion(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Eq. 6 and 7, at a temperature."""
        t = self.settings.temperature
        return opinion_loss(student_logits / t, teacher_logits / t)
