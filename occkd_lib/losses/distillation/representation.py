"""Transfer of representations and opinions: emotional education, Eq. 5-7."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.checks import same_shape


def representation_loss(
    student: Tensor, teacher: Tensor, *, reduction: Literal["mean", "sum"] = "mean"
) -> Tensor:
    r"""Squared error between representations (Li et al., Eq. 5).

    student, teacher: B x D; no gradient reaches the teacher. reduction: over the D features; the
    text says "mean square error", "sum" is the literal 1/M of the equation.
    """
    same_shape("student", student, "teacher", teacher)
    error = (student.float() - teacher.detach().float()).square()
    return error.mean() if reduction == "mean" else error.sum(1).mean()


def opinion_loss(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of the student's from the teacher's prediction (Eq. 6 and 7).

    .. math:: L = \frac{1}{M} \sum_m \sum_k p^T_{mk} (\log p^T_{mk} - \log p^S_{mk})

    student_logits, teacher_logits: B x K; no gradient reaches the teacher. It differs from
    ``soft_target_loss`` at temperature 1 by the teacher's entropy, which has no gradient.
    """
    same_shape("student_logits", student_logits, "teacher_logits", teacher_logits)
    known = teacher_logits.detach().float().log_softmax(1)
    said = student_logits.float().log_softmax(1)
    return F.kl_div(said, known, reduction="batchmean", log_target=True)
