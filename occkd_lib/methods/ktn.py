"""KTN, emotional education's teacher, which knows coarse and fine labels (Li et al., Eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.data.vocabularies import canonical
from occkd_lib.errors import OcckdError
from occkd_lib.losses.coarse_fine import coarse_shares
from occkd_lib.losses.task import LossChoice, TaskLoss
from occkd_lib.losses.task.cross_entropy import cross_entropy
from occkd_lib.methods.base import Job
from occkd_lib.methods.fitted import Fitted, FittedSettings
from occkd_lib.methods.teacher import Teacher
from occkd_lib.models import FaceNet, NetworkSettings, Prediction
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.objective import Objective
from occkd_lib.training.predictions import COARSE_PREDICTION, COARSE_TARGET


class CoarseSettings(FittedSettings):
    """contempt: its coarse class, which the paper does not state."""

    contempt: Literal["positive", "negative", "neutral", "surprise"] = "negative"


class KtnSettings(CoarseSettings):
    """loss: of the fine labels; by default AdaReg's, which holds lambda_f = 5 and lambda_A = 0.01.

    lam_c: weight of the coarse labels' cross-entropy; 0 leaves the labels out, not the stream.
    """

    method: Literal["ktn"] = "ktn"
    loss: LossChoice | None = LossChoice(name="adareg")
    lam_c: float = Field(3.0, ge=0)


def shares_of(classes: Sequence[str], contempt: str) -> Tensor:
    """``coarse_shares`` of classes however they are spelt; OcckdError for one without a place."""
    try:
        return coarse_shares([canonical(name) for name in classes], contempt=contempt)
    except ValueError as error:
        raise OcckdError(f"coarse labels: {error}; the method is for expressions alone") from None


class CoarseFine(Fitted):
    """What KTN and STSN have in common: they learn and predict coarse labels beside fine ones."""

    def check(
        self, settings: Any, task: Task, *, has_validation: bool, network: NetworkSettings
    ) -> None:
        if task.name != "expression":
            raise ValueError(f"coarse labels are of expressions, not of task {task.name!r}")
        super().check(settings, task, has_validation=has_validation, network=network)

    def check_control(self, settings: Any, control: Any) -> None:
        ours, theirs = (getattr(s, "contempt", None) for s in (settings, control))
        if theirs not in (None, ours):
            raise ValueError(f"contempt is {theirs}, but {ours} in the stage whose control it is")

    def answers_table(
        self, job: Job, faces: FaceSet, view: str, prediction: np.ndarray, said: Prediction
    ) -> pd.DataFrame:
        table = super().answers_table(job, faces, view, prediction, said)
        if said.coarse is not None:
            shares = shares_of(faces.classes, job.stage.settings.contempt)
            table[COARSE_TARGET] = shares.argmax(1)[faces.targets].numpy()
            table[COARSE_PREDICTION] = said.coarse.argmax(1).cpu().numpy()
        return table


class Ktn(CoarseFine):
    """Eq. 4, with two streams; on full faces, if nothing else is said, and then tested on all."""

    name = "ktn"
    title = "KTN"
    settings = KtnSettings
    color = 6
    few_labels = True
    view = Teacher.view

    def tested_on(self, stage_view: str, views: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((stage_view, *views))) if stage_view == "full" else (stage_view,)

    def check(
        self, settings: KtnSettings, task: Task, *, has_validation: bool, network: NetworkSettings
    ) -> None:
        super().check(settings, task, has_validation=has_validation, network=network)
        if not network.has_coarse:
            raise ValueError(
                "its network has no coarse stream: set 'streams: two' or 'streams: shared' in it; "
                "without coarse labels, the method is 'teacher'"
            )

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        settings = job.stage.settings
        shares = shares_of(batches.views.faces.classes, settings.contempt)
        return KtnObjective(task_loss, job.stage.view, shares, settings.lam_c)


class KtnObjective(Objective):
    """Eq. 4: lambda_f CE(V^f, y) + lambda_A AdaReg, the task loss, and lambda_c CE(V^c, y^c)."""

    shares: Tensor

    def __init__(self, task_loss: TaskLoss, view: str, shares: Tensor, lam_c: float) -> None:
        super().__init__(task_loss, view)
        self.register_buffer("shares", shares)
        self.lam_c = lam_c

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        known = batch.known
        seen = student(known.inputs(self.view))
        coarse = coarse_cross_entropy(seen, known, self.shares)
        return self.task(seen, known) + self.lam_c * coarse


def coarse_cross_entropy(seen: Prediction, batch: Batch, shares: Tensor) -> Tensor:
    """CE(V^c, y^c); a soft label's coarse classes have the shares of its fine ones."""
    assert seen.coarse is not None
    if batch.soft_target is None:
        return cross_entropy(seen.coarse, shares.argmax(1)[batch.target])
    coarse = batch.soft_target.to(shares) @ shares
    return cross_entropy(seen.coarse, coarse / coarse.sum(1, keepdim=True).clamp_min(1e-12))
