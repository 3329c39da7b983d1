"""What a task loss with needs of its own is made from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Facts:
    """What a loss may need to know before training: outputs K, embedding width D, and the classes.

    counts: training faces of every class; classes: their names; () for a quantity. cosines: are the
    outputs cosines (``cosine_head`` of the network) instead of logits?
    """

    outputs: int
    embedding_dim: int
    counts: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    cosines: bool = False


class TaskLoss(nn.Module):
    """A task loss with needs or parameters of its own: ``Kind(facts, **parameters)``."""

    def forward(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """output: B x K, embedding: B x D, target: B, or B x K for soft labels. -> scalar"""
        raise TypeError(f"{type(self).__name__} must define forward()")
