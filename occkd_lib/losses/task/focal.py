"""Focal loss: easy faces count less."""

from __future__ import annotations

from torch import Tensor


def focal_loss(logits: Tensor, targets: Tensor, *, gamma: float = 2.0) -> Tensor:
    r"""Batch mean of -(1 - p)^gamma log p of the true class (Lin et al., ICCV 2017, Eq. 4).

    logits: B x K. targets: B, or B x K, of which the likeliest class counts. gamma = 0 is the
    cross-entropy. Computed in float32.
    """
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, but is {gamma}")
    targets = targets if targets.ndim == 1 else targets.argmax(1)
    log_p = logits.float().log_softmax(1).gather(1, targets[:, None])[:, 0]
    return -((1 - log_p.exp()).clamp_min(0) ** gamma * log_p).mean()
