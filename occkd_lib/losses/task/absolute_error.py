"""Mean absolute error, the journal's loss for age (Sect. 4.3.4)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """Batch mean of |output - target| in the target's unit. output: B x 1; target: B."""
    return F.l1_loss(output[:, 0].float(), target.float())
