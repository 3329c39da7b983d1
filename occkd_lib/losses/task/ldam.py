"""LDAM: margins that are larger for rarer classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.losses.task.base import Facts, TaskLoss


def ldam_loss(
    cosines: Tensor,
    targets: Tensor,
    counts: Sequence[int] | Tensor,
    *,
    max_margin: float = 0.5,
    scale: float = 30.0,
) -> Tensor:
    r"""Cross-entropy of scaled cosines less the true class's margin (Cao et al., NeurIPS 2019).

    .. math:: m_j = \text{max\_margin} \cdot
              \frac{n_j^{-1/4}}{\max_k n_k^{-1/4}}, \qquad
              L = \mathrm{CE}(s (z - m_y \cdot 1_{k = y}), y)

    cosines: B x K, of embeddings and class weights. targets: B. counts: K, training faces of each
    class (a class without any counts as one face). max_margin = 0, scale = 1: the cross-entropy.
    """
    n = torch.as_tensor(counts, device=cosines.device).float().clamp_min(1)
    if n.shape != cosines.shape[1:]:
        raise ValueError(f"counts {tuple(n.shape)} do not match cosines {tuple(cosines.shape)}")
    margins = n**-0.25
    margins = max_margin * margins / margins.max()
    z = cosines.float() - F.one_hot(targets, cosines.shape[1]) * margins
    return F.cross_entropy(scale * z, targets)


class Ldam(TaskLoss):
    """LDAM for a network whose head gives cosines (``cosine_head`` of its settings)."""

    def __init__(self, facts: Facts, *, max_margin: float = 0.5, scale: float = 30.0) -> None:
        super().__init__()
        if not facts.cosines:
            raise OcckdError("loss 'ldam' takes cosines: set 'cosine_head: true' in the network")
        self.counts, self.max_margin, self.scale = facts.counts, max_margin, scale

    def forward(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """output: B x K cosines. target: B, or B x K, of which the likeliest class counts."""
        target = target if target.ndim == 1 else target.argmax(1)
        return ldam_loss(output, target, self.counts, max_margin=self.max_margin, scale=self.scale)
