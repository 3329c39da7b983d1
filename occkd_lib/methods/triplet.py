"""Step 3, the papers' own: triplet loss against the teacher's embeddings (journal, Eq. 4-7)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.losses import blend, triplet_kd_loss
from occkd_lib.losses.task import TaskLoss
from occkd_lib.methods.base import Job
from occkd_lib.methods.distilled import (
    Distilled,
    DistilledObjective,
    DistilledSettings,
    adapter,
)
from occkd_lib.mining import MINERS, Triplets
from occkd_lib.models import FaceNet, Prediction
from occkd_lib.models.cost import Cost
from occkd_lib.plugins import resolve
from occkd_lib.randomness import stream
from occkd_lib.settings import Settings
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.norms import norms_at_rest
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher, predict


class TripletTermSettings(Settings):
    """mining: a name of MINERS, or a miner of one's own. negatives: they go through the student
    "with_anchors", in one batch, or "apart", where batch norm keeps its statistics for them.

    classes: who belongs with whom is known from the "labels" (the papers), or by the "teacher"'s
    word, which it has for every face: where few are labelled, triplets speak about the others, too.
    """

    alpha: float = Field(ge=0)
    squared: bool = True
    fraction: float = Field(0.1, gt=0, le=1, description="size of the mining pools")
    max_target_gap: float | None = Field(None, gt=0, description="years; quantities only")
    normalize: bool = Field(False, description="L2-normalise embeddings first")
    mining: str = "hard"
    negatives: Literal["with_anchors", "apart"] = "with_anchors"
    # younger than the first published runs, whose fingerprints hold without it
    classes: Literal["labels", "teacher"] = Field("labels", exclude_if=lambda own: own == "labels")

    def check(self, task: Task) -> None:
        """Raise ValueError for settings that do not suit the task, or a miner that is none."""
        miner = resolve("miner", self.mining, MINERS)
        try:
            keywords = {"fraction": 1.0, "max_target_gap": None, "generator": None}
            inspect.signature(miner).bind(None, None, None, **keywords)
        except TypeError as error:
            raise ValueError(
                f"miner {self.mining!r} is not called as mine_hard_triplets is ({error})"
            ) from None
        if (self.max_target_gap is None) == task.continuous:
            verb = "needs" if task.continuous else "takes no"
            raise ValueError(f"task {task.name!r} {verb} max_target_gap")


class TripletSettings(DistilledSettings, TripletTermSettings):
    """The settings of triplet distillation."""

    method: Literal["triplet"] = "triplet"
    keep_task_weight: bool = Field(False, description="CE + lam * triplet, the ICPR form")


class Triplet(Distilled):
    """Hard triplets, mined once an epoch: anchor and negative of the student, positive of the
    teacher."""

    name = "triplet"
    title = "triplet T-S"
    settings = TripletSettings
    published = {"journal": "triplet_TS", "icpr2020": "triplet_TS"}
    color = 3
    few_labels = True

    def check(self, settings: TripletSettings, task: Task, **known: Any) -> None:
        super().check(settings, task, **known)
        settings.check(task)

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        settings = job.stage.settings
        teacher = job.teacher(settings.teacher, batches.views)
        return TripletObjective(
            task_loss, job.stage.view, teacher, settings,
            adapter=adapter(model, teacher), batches=batches, decide=job.task.decide,
            compute=job.compute, seed=job.seed,
        )  # fmt: skip

    def flop(
        self, settings: Any, train: int, val: int, cost: Cost, teachers: Sequence[Cost]
    ) -> float:
        # the negative goes through the student, too, and mining looks at every face
        more = settings.epochs * train * (cost.training + cost.forward)
        return super().flop(settings, train, val, cost, teachers) + more


class TripletTerm(nn.Module):
    """Eq. 4, 6-7: mined once an epoch, then a loss on every batch.

    With random moves or windows, anchors and negatives are moved, positives and mining are not.
    """

    def __init__(
        self,
        settings: TripletTermSettings,
        teacher: FrozenTeacher,
        view: str,
        *,
        adapter: nn.Module,
        batches: Batches,
        decide: Callable[[Tensor], Tensor],
        compute: Compute,
        seed: int,
    ) -> None:
        """decide: from outputs N x K to classes or quantities, N (Task.decide)."""
        super().__init__()
        self.settings, self.teacher, self.view, self.adapter = settings, teacher, view, adapter
        self.views, self.decide, self.compute, self.seed = batches.views, decide, compute, seed
        self.miner = resolve("miner", settings.mining, MINERS)
        self.told = settings.classes == "teacher"
        every = torch.arange(len(self.views), device=self.views.device)
        self.known = every if batches.labelled is None or self.told else batches.labelled
        self.labels = batches.targets
        self.triplets: Triplets | None = None

    def placed(self, embedding: Tensor) -> Tensor:
        """The space distances are measured in: raw, or the unit sphere."""
        embedding = embedding.float()
        return F.normalize(embedding) if self.settings.normalize else embedding

    def mine(self, student: FaceNet, epoch: int) -> None:
        """Find the epoch's triplets, with the weights of its beginning (Eq. 6-7).

        Raises OcckdError where the miner finds none, as when a teacher says one class of all faces.
        """
        seen = predict(student, self.views, self.view, compute=self.compute).embedding
        with torch.no_grad():
            seen = self.adapter(seen)
        belongs = self.decide(self.teacher.output[0]) if self.told else self.labels
        try:
            found = self.miner(
                self.placed(seen[self.known]),
                self.placed(self.teacher.embedding[0][self.known]),
                belongs[self.known],
                fraction=self.settings.fraction,
                max_target_gap=self.settings.max_target_gap,
                generator=stream(self.seed, "pools", epoch),
            )
        except ValueError as error:
            who = "the teacher, which may need more epochs, says" if self.told else "the labels say"
            raise OcckdError(
                f"no triplets of {len(self.known):,} faces, of whom {who} who belongs with whom: "
                f"{error}"
            ) from error
        self.triplets = found._replace(
            positive=self._in_place(found.positive), negative=self._in_place(found.negative)
        )

    def _in_place(self, found: Tensor) -> Tensor:
        """From positions among the faces with known classes to faces: N, -1 where unknown."""
        faces = torch.full((len(self.views),), -1, device=found.device)
        faces[self.known] = self.known[found]
        return faces

    def forward(self, student: FaceNet, batch: Batch) -> tuple[Prediction, Tensor]:
        """What the student says of the faces with known labels, and the triplet loss (Eq. 4)."""
        assert self.triplets is not None, "mine() comes first"
        s, labelled = self.settings, batch.labelled
        batch = batch if self.told else batch.known
        positive = self.teacher.embedding[batch.flipped.long(), self.triplets.positive[batch.index]]
        anchors = batch.inputs(self.view)
        others = batch.inputs(self.view, self.triplets.negative[batch.index])
        if s.negatives == "with_anchors":
            both = student(torch.cat([anchors, others]))
            seen = both.each(lambda part: part[: len(anchors)])
            negative = both.embedding[len(anchors) :]
        else:
            seen = student(anchors)
            with norms_at_rest(student):
                negative = student(others).embedding
        anchor, negative = self.adapter(seen.embedding), self.adapter(negative)
        loss = triplet_kd_loss(
            self.placed(anchor), self.placed(positive), self.placed(negative),
            alpha=s.alpha, squared=s.squared,
        )  # fmt: skip
        if self.told and labelled is not None:  # the anchors are others than the labelled faces
            seen = student(labelled.inputs(self.view))
        return seen, loss


class TripletObjective(DistilledObjective):
    """Eq. 5: the anchors' task loss and the triplet loss, blended."""

    def __init__(self, *parts: Any, **of_the_term: Any) -> None:
        super().__init__(*parts)
        self.term = TripletTerm(self.settings, self.teacher, self.view, **of_the_term)

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        self.term.mine(student, epoch)

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        s = self.settings
        seen, distillation = self.term(student, batch)
        task = self.task(seen, batch.known)
        return blend(task, distillation, s.lam, keep_task_weight=s.keep_task_weight)
