"""Cross-entropy, of classes and of one logit."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(output: Tensor, target: Tensor, *, weight: float = 1.0) -> Tensor:
    """weight times the batch mean of -sum_k t_k log softmax(output)_k, in float32.

    output: B x K. target: B (class index), or B x K shares that sum to 1 (soft labels). weight:
    beside other terms, as lambda_f of emotional education's Eq. 4.
    """
    return weight * F.cross_entropy(output.float(), target)


def binary_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of one logit a face. output: B x 1; target: B in {0, 1}."""
    return F.binary_cross_entropy_with_logits(output[:, 0].float(), target.float())
