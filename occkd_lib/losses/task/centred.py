"""Cross-entropy beside a loss on category representations: what AdaReg is compared with, and it.

The representations are centres of the embeddings, moved by each batch (``moved_centers``); they
belong to the loss and are checkpointed with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.losses.regularisers.center import center_loss, moved_centers
from occkd_lib.losses.regularisers.importance import importance_coefficients
from occkd_lib.losses.regularisers.island import island_loss
from occkd_lib.losses.regularisers.reg import adareg_loss, reg_loss
from occkd_lib.losses.regularisers.uniform import uniform_loss
from occkd_lib.losses.task.base import Facts, TaskLoss
from occkd_lib.losses.task.cross_entropy import cross_entropy


class Centred(TaskLoss):
    """task_weight * cross-entropy + weight * ``term``. Centres begin at N(0, 0.01^2).

    rate: gamma of ``moved_centers``.
    """

    centers: Tensor

    def __init__(
        self, facts: Facts, *, weight: float, task_weight: float = 1.0, rate: float = 0.5
    ) -> None:
        super().__init__()
        self.weight, self.task_weight, self.rate = weight, task_weight, rate
        self.register_buffer("centers", 0.01 * torch.randn(facts.outputs, facts.embedding_dim))
        classes = facts.classes or tuple(map(str, range(facts.outputs)))
        self.neutral = classes.index("neutral") if "neutral" in classes else None

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        """The loss on the centres: before the batch (constants), and moved by it."""
        raise TypeError(f"{type(self).__name__} must define term()")

    def forward(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """Soft labels (B x K) count for the cross-entropy; centres follow the likeliest class."""
        hard = target if target.ndim == 1 else target.argmax(1)
        old = self.centers
        new = moved_centers(old, embedding, hard, rate=self.rate)
        if self.training:
            self.centers = new.detach()
        task = cross_entropy(output, target)
        return self.task_weight * task + self.weight * self.term(embedding, hard, old, new)


class Center(Centred):
    """Center loss (Wen et al., ECCV 2016)."""

    def __init__(self, facts: Facts, *, weight: float = 0.003, rate: float = 0.5) -> None:
        super().__init__(facts, weight=weight, rate=rate)

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return center_loss(embedding, target, old)


class Island(Centred):
    """Island loss (Cai et al., FG 2018); apart: weight of its pairs of centres."""

    def __init__(
        self, facts: Facts, *, weight: float = 0.01, apart: float = 10.0, rate: float = 0.5
    ) -> None:
        super().__init__(facts, weight=weight, rate=rate)
        self.apart = apart

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        pairs = island_loss(new, torch.arange(len(new), device=new.device), new, weight=self.apart)
        return center_loss(embedding, target, old) + pairs  # its center part is 0 here


class Uniform(Centred):
    """Uniform loss (Duan et al., CVPR 2019)."""

    def __init__(self, facts: Facts, *, weight: float = 1.0, rate: float = 0.5) -> None:
        super().__init__(facts, weight=weight, rate=rate)

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return uniform_loss(new)


class Reg(Centred):
    """Reg of emotional education (Li et al., Eq. 2), with the weights of its Eq. 4."""

    def __init__(
        self,
        facts: Facts,
        *,
        weight: float = 0.01,
        task_weight: float = 5.0,
        expansion: float = 10.0,
        rate: float = 0.5,
    ) -> None:
        super().__init__(facts, weight=weight, task_weight=task_weight, rate=rate)
        self.expansion = expansion

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return reg_loss(new, expansion=self.expansion)


class AdaReg(Reg):
    """AdaReg (Li et al., Eq. 1 and 3): rare classes of the batch are pushed away the most.

    Classes stand in their vocabulary's order, but for neutral, which is last, as in the paper.
    """

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        classes, neutral = len(new), self.neutral
        coefficients = importance_coefficients(target, classes=classes, neutral=neutral)
        order = [k for k in range(classes) if k != neutral] + [neutral] * (neutral is not None)
        return adareg_loss(new[order], coefficients[order], expansion=self.expansion)
