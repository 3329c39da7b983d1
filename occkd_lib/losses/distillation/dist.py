"""Relations instead of values (DIST): Huang et al., NeurIPS 2022."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.losses.checks import same_shape
from occkd_lib.losses.distillation.relational import unit_vectors


def dist_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    beta: float = 1.0,
    gamma: float = 1.0,
    tau: float = 1.0,
) -> Tensor:
    r"""Correlations of softened predictions, by face and by class (Huang et al., DIST).

    .. math:: L = \tau^2 \Bigl[ \frac{\beta}{B} \sum_i (1 - \rho(p^S_{i,:}, p^T_{i,:}))
              + \frac{\gamma}{K} \sum_k (1 - \rho(p^S_{:,k}, p^T_{:,k})) \Bigr]

    rho: Pearson's correlation. beta: weight >= 0 of the inter-class relation (over the classes of
    a face); gamma: weight >= 0 of the intra-class relation (over the faces of the batch). tau:
    temperature > 0; tau squared is torchdistill's, while the authors' first code has no tau.

    student_logits, teacher_logits: B x K. What does not vary correlates with nothing, not even
    with itself: rho = 0, so that a single face has an intra-class term of 1 without gradient. No
    gradient reaches the teacher. Computed in float32 whatever comes in.
    """
    same_shape("student_logits", student_logits, "teacher_logits", teacher_logits)
    if beta < 0 or gamma < 0:
        raise ValueError(f"beta and gamma must not be negative, but are {beta} and {gamma}")
    if tau <= 0:
        raise ValueError(f"tau must be positive, not {tau}")
    said = (student_logits.float() / tau).softmax(1)
    known = (teacher_logits.detach().float() / tau).softmax(1)
    inter = 1 - _correlations(said, known).mean()
    intra = 1 - _correlations(said.T, known.T).mean()
    return tau**2 * (beta * inter + gamma * intra)


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of each row of a with the same row of b."""
    return (_standardised(a) * _standardised(b)).sum(1)


def _standardised(rows: Tensor) -> Tensor:
    """Rows of mean 0 and length 1, or of next to 0 where they do not vary."""
    # Equal values minus their mean are not always 0, but the rounding of the mean: no signal.
    noise = 1e-6 * torch.linalg.vector_norm(rows.detach(), dim=1, keepdim=True)
    return unit_vectors(rows - rows.mean(1, keepdim=True), noise)
