"""Cross-entropy beside a loss on category representations: what AdaReg is compared with, and it.

The representations are centres of the embeddings, moved by each batch (``moved_centers``); they
belong to the loss and are checkpointed with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.losses.regularisers.center import center_loss, moved_centers
from occkd_lib.losses.regularisers.importance import importance_coefficients
from occkd_lib.losses.regularisers.island import island_loss
from occkd_lib.losses.regularisers.reg import adareg_loss
from occkd_lib.losses.regularisers.uniform import uniform_loss
from occkd_lib.losses.task.base import Facts, TaskLoss
from occkd_lib.losses.task.cross_entropy import cross_entropy


class Centred(TaskLoss):
    """task_weight * cross-entropy + weight * ``term``.

    rate: gamma of ``moved_centers``. start: centres begin at "random" values N(0, 0.01^2), or each
    at its class's mean when it first occurs in a batch ("first_batch").
    """

    centers: Tensor
    begun: Tensor

    def __init__(
        self,
        facts: Facts,
        *,
        weight: float,
        task_weight: float = 1.0,
        rate: float = 0.5,
        start: str = "random",
    ) -> None:
        super().__init__()
        one_of("start", start, ("random", "first_batch"))
        self.weight, self.task_weight, self.rate = weight, task_weight, rate
        self.register_buffer("centers", 0.01 * torch.randn(facts.outputs, facts.embedding_dim))
        self.register_buffer("begun", torch.full((facts.outputs, 1), start == "random"))
        classes = facts.classes or tuple(map(str, range(facts.outputs)))
        self.neutral = classes.index("neutral") if "neutral" in classes else None

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        """The loss on the centres: before the batch (constants), and moved by it."""
        raise TypeError(f"{type(self).__name__} must define term()")

    def forward(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """Soft labels (B x K) count for the cross-entropy; centres follow the likeliest class."""
        with torch.autocast(embedding.device.type, enabled=False):  # centres in full precision
            return self.in_float(output.float(), embedding.float(), target)

    def in_float(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """The loss, all in float32."""
        hard = target if target.ndim == 1 else target.argmax(1)
        old = self.begin(embedding.detach(), hard)
        new = self.move(old, embedding, hard)
        if self.training:
            self.centers = new.detach()
        task = cross_entropy(output, target)
        return self.task_weight * task + self.weight * self.term(embedding, hard, old, new)

    def move(self, old: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """The centres after the batch."""
        return moved_centers(old, embedding, target, rate=self.rate)

    def begin(self, embedding: Tensor, target: Tensor) -> Tensor:
        """The centres, those of classes that occur for the first time at their means."""
        member = torch.nn.functional.one_hot(target, len(self.centers)).to(embedding.dtype).T
        counts = member.sum(1, keepdim=True)
        first = ~self.begun & (counts > 0)
        if self.training:
            self.begun = self.begun | first
        return torch.where(first, member @ embedding / counts.clamp_min(1), self.centers)


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """OcckdError for a value that is not among those there are."""
    if value not in known:
        raise OcckdError(f"{name} is {value!r}; it can be {' or '.join(known)}")


class Center(Centred):
    """Center loss (Wen et al., ECCV 2016)."""

    def __init__(self, facts: Facts, *, weight: float = 0.003, rate: float = 0.5) -> None:
        super().__init__(facts, weight=weight, rate=rate)

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return center_loss(embedding, target, old)


class Island(Centred):
    """Island loss (Cai et al., FG 2018); apart: weight of its pairs of centres, lambda_1.

    As there, the pairs move the centres, by the slope of their cosines, and embeddings follow.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        weight: float = 0.01,
        apart: float = 10.0,
        rate: float = 0.5,
        start: str = "first_batch",
    ) -> None:
        super().__init__(facts, weight=weight, rate=rate, start=start)
        self.apart = apart

    def move(self, old: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        lengths = old.norm(dim=1, keepdim=True).clamp_min(1e-12)
        directions = old / lengths
        others = directions.sum(0) - directions
        slope = (others - (others * directions).sum(1, keepdim=True) * directions) / lengths
        step = self.rate * self.apart * slope / max(1, len(old) - 1)
        return super().move(old, embedding, target) - step

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return island_loss(embedding, target, old, weight=self.apart)


class Uniform(Centred):
    """Uniform loss (Duan et al., CVPR 2019)."""

    def __init__(self, facts: Facts, *, weight: float = 1.0, rate: float = 0.5) -> None:
        super().__init__(facts, weight=weight, rate=rate)

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        return uniform_loss(new)


class Reg(Centred):
    """Reg of emotional education (Li et al., Eq. 2), with the weights lambda_f, lambda_A of Eq. 4.

    moved: distances are between the centres as this batch moves them, through which they teach the
    network; False is the literal reading, in which the representations are only kept beside it, and
    nothing is learnt from them. order: of the classes, as each pair counts with its lower class:
    the vocabulary's but for neutral, which is last ("neutral_last"), the vocabulary's own
    ("given"), or all names, parted by commas.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        weight: float = 0.01,
        task_weight: float = 5.0,
        expansion: float = 10.0,
        rate: float = 0.5,
        start: str = "random",
        moved: bool = True,
        order: str = "neutral_last",
    ) -> None:
        super().__init__(facts, weight=weight, task_weight=task_weight, rate=rate, start=start)
        self.expansion, self.moved = expansion, moved
        self.order = list(range(facts.outputs))
        named = [name.strip() for name in order.split(",")]
        if facts.classes and sorted(named) == sorted(facts.classes):
            self.order = [facts.classes.index(name) for name in named]
        elif order == "neutral_last":
            if self.neutral is not None:
                self.order.append(self.order.pop(self.neutral))
        elif facts.classes:
            one_of("order", order, ("neutral_last", "given", ", ".join(facts.classes)))

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        ones = torch.ones(len(new), device=new.device)
        return self.pushed_apart(new, ones)

    def pushed_apart(self, representations: Tensor, coefficients: Tensor) -> Tensor:
        """Eq. 3 on the representations in their order."""
        e = representations if self.moved else representations.detach()
        return adareg_loss(e[self.order], coefficients[self.order], expansion=self.expansion)


class AdaReg(Reg):
    """AdaReg (Li et al., Eq. 1 and 3): rare classes of the batch are pushed away the most."""

    def term(self, embedding: Tensor, target: Tensor, old: Tensor, new: Tensor) -> Tensor:
        last = self.order[-1] if self.order[-1] == self.neutral else None
        return self.pushed_apart(
            new, importance_coefficients(target, classes=len(new), neutral=last)
        )
