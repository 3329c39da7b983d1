"""What ``terms:`` of a distil stage can be: one class a loss, its settings, and how it is called.

The losses are ``losses/distillation/``, one file each; here they meet networks and batches.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from occkd_lib.losses import (
    contrastive_loss,
    decoupled_loss,
    dist_loss,
    hint_loss,
    pseudo_label_loss,
    relational_angle_loss,
    relational_distance_loss,
    representation_loss,
    similarity_loss,
    soft_target_loss,
)
from occkd_lib.methods.triplet import TripletTermSettings
from occkd_lib.models import Prediction
from occkd_lib.settings import Settings
from occkd_lib.tasks import Task


class Term(Settings):
    """weight: beside the task loss, whose weight is 1.

    classes: it compares probabilities, of which a quantity has none. same_width: it compares
    embeddings value by value, so a linear layer (Romero et al.'s regressor) stands between two
    widths.
    """

    weight: float = Field(gt=0)
    classes: ClassVar[bool] = False
    same_width: ClassVar[bool] = False

    def check(self, task: Task) -> None:
        """Raise ValueError where it does not suit the task."""
        if self.classes and not task.softmax:
            raise ValueError(f"task {task.name!r} has one output, so no classes to compare")

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        """seen, known: what the student and the teacher say of the same faces; target: B.

        seen.embedding has gone through the adapter where the term wants the same width.
        """
        raise NotImplementedError


class SoftTargets(Term):
    """Hinton et al.; journal, Eq. 1-2."""

    tau: float = Field(4.0, gt=0)
    tau_squared: bool = True
    classes = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return soft_target_loss(seen.output, known.output, self.tau, tau_squared=self.tau_squared)


class Decoupled(Term):
    """DKD (Zhao et al., 2022)."""

    alpha: float = Field(1.0, ge=0)
    beta: float = Field(8.0, ge=0)
    tau: float = Field(4.0, gt=0)
    classes = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return decoupled_loss(
            seen.output, known.output, target, alpha=self.alpha, beta=self.beta, tau=self.tau
        )


class Dist(Term):
    """DIST (Huang et al., 2022)."""

    beta: float = Field(1.0, ge=0)
    gamma: float = Field(1.0, ge=0)
    tau: float = Field(4.0, gt=0)
    classes = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return dist_loss(seen.output, known.output, beta=self.beta, gamma=self.gamma, tau=self.tau)


class Hint(Term):
    """The journal's hint: L1 between embeddings (Eq. 3)."""

    reduction: Literal["mean", "sum"] = "mean"
    same_width = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return hint_loss(seen.embedding, known.embedding, reduction=self.reduction)


class FitNets(Term):
    """FitNets (Romero et al., 2015): L2 between embeddings."""

    reduction: Literal["mean", "sum"] = "mean"
    same_width = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return representation_loss(seen.embedding, known.embedding, reduction=self.reduction)


class RelationalDistance(Term):
    """RKD-D (Park et al., 2019)."""

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return relational_distance_loss(seen.embedding, known.embedding)


class RelationalAngle(Term):
    """RKD-A (Park et al., 2019)."""

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return relational_angle_loss(seen.embedding, known.embedding)


class Similarity(Term):
    """Similarity-preserving (Tung and Mori, 2019)."""  # codespell:ignore tung

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return similarity_loss(seen.embedding, known.embedding)


class Contrastive(Term):
    """InfoNCE across the two views (van den Oord et al., 2018; Tian et al., 2020).

    spare_class: faces of the same class are no negatives.
    """

    tau: float = Field(0.1, gt=0)
    spare_class: bool = False
    same_width = True

    def check(self, task: Task) -> None:
        super().check(task)
        if self.spare_class and task.continuous:
            raise ValueError(f"spare_class: task {task.name!r} has no classes")

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        spared = target if self.spare_class else None
        return contrastive_loss(seen.embedding, known.embedding, tau=self.tau, target=spared)


class Smoothing(Term):
    """Label smoothing (Szegedy et al., 2016, Sect. 7): a teacher that holds every class as likely.

    What soft targets give without it, the teacher's knowledge cannot have given. ``weight`` is
    eps / (1 - eps) of that paper's eps.
    """

    classes = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return -seen.output.float().log_softmax(1).mean()


class PseudoLabels(Term):
    """Pseudo-labels (Lee, 2013; Sohn et al., 2020): with the student of step 2 as teacher, the
    usual rival where labels are few and faces are many."""

    threshold: float = Field(0.95, ge=0, le=1)
    classes = True

    def loss(self, seen: Prediction, known: Prediction, target: Tensor) -> Tensor:
        return pseudo_label_loss(seen.output, known.output, threshold=self.threshold)


class Triplets(TripletTermSettings):
    """The journal's triplets (Eq. 4, 6-7), as one term among others."""

    weight: float = Field(gt=0)


TERMS: dict[str, type[Term]] = {
    "soft_targets": SoftTargets,
    "decoupled": Decoupled,
    "dist": Dist,
    "hint": Hint,
    "fitnets": FitNets,
    "relational_distance": RelationalDistance,
    "relational_angle": RelationalAngle,
    "similarity": Similarity,
    "contrastive": Contrastive,
    "smoothing": Smoothing,
    "pseudo_labels": PseudoLabels,
}


class Called(nn.Module):
    """A term between two networks: its settings, and the adapter if it has one."""

    def __init__(self, term: Term, adapter: nn.Module) -> None:
        super().__init__()
        self.term, self.adapter = term, adapter

    def forward(self, seen: Prediction, known: Prediction, target: Any) -> Tensor:
        placed = seen._replace(embedding=self.adapter(seen.embedding))
        return self.term.weight * self.term.loss(placed, known, target)
