"""Hints: Romero et al., as in the journal's Eq. 3."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from occkd_lib.losses.checks import same_shape


def hint_loss(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    *,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    r"""L1 distance between hidden layers, batch mean (journal, first term of Eq. 3).

    .. math:: L = \frac{1}{B} \sum_i \lVert H_T(x_i) - H_S(x'_i) \rVert_1

    student_hidden, teacher_hidden: B x D. reduction: "sum" over the D features is the literal
    norm; "mean" divides it by D, so that lambda keeps its meaning from network to network.
    No gradient reaches the teacher. Computed in float32 whatever comes in.
    """
    same_shape("student_hidden", student_hidden, "teacher_hidden", teacher_hidden)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', not {reduction!r}")
    distance = (teacher_hidden.detach().float() - student_hidden.float()).abs()
    return distance.mean() if reduction == "mean" else distance.sum(1).mean()
