"""FER+'s multi-target labels (Barsoum et al., ICMI 2016, Eq. 4)."""

from __future__ import annotations

from torch import Tensor


def multi_target_loss(output: Tensor, target: Tensor) -> Tensor:
    """Batch mean of -log max_k(t_k p_k): any accepted class will do.

    output: B x K logits. target: B x K, 1 where a class is accepted, else 0.
    """
    accepted = output.float().softmax(1) * (target > 0)
    return -accepted.amax(1).clamp_min(1e-12).log().mean()
