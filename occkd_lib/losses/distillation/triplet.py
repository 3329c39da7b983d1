"""Distillation by triplet loss: the journal's Eq. 4 (and its ICPR 2020 form)."""

from __future__ import annotations

from torch import Tensor

from occkd_lib.losses.checks import same_shape


def triplet_kd_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, alpha: float, squared: bool = True
) -> Tensor:
    r"""Hinge on distances between embeddings, batch mean (journal, Eq. 4).

    .. math:: L = \frac{1}{B} \sum_i \bigl[ \lVert E_S(a'_i) - E_T(p_i) \rVert_2^2
              - \lVert E_S(a'_i) - E_S(n'_i) \rVert_2^2 + \alpha \bigr]_+

    anchor, negative: B x D, student embeddings of half-visible faces; gradients flow into both.
    positive: B x D, teacher embeddings of full faces; fixed, no gradient. alpha: margin >= 0.
    squared=False takes plain Euclidean distances (ICPR 2020). Computed in float32.
    """
    same_shape("anchor", anchor, "positive", positive)
    same_shape("anchor", anchor, "negative", negative)
    if alpha < 0:
        raise ValueError(f"alpha must not be negative, but is {alpha}")
    to_positive = (anchor.float() - positive.detach().float()).square().sum(1)
    to_negative = (anchor.float() - negative.float()).square().sum(1)
    if not squared:  # the slope of a square root is infinite at 0
        to_positive = to_positive.clamp_min(1e-12).sqrt()
        to_negative = to_negative.clamp_min(1e-12).sqrt()
    return (to_positive - to_negative + alpha).clamp_min(0).mean()
