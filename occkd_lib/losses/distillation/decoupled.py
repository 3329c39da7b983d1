"""Decoupled distillation (DKD): Zhao et al., CVPR 2022."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.checks import same_shape


def decoupled_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    tau: float = 4.0,
) -> Tensor:
    r"""Target class against the rest, and the rest among themselves (Zhao et al., DKD, Eq. 7).

    .. math:: L = \frac{\tau^2}{B} \sum_i \alpha \, \mathrm{KL}(b^T_i \Vert b^S_i)
              + \beta \, \mathrm{KL}(\hat p^T_i \Vert \hat p^S_i)

    TCKD compares b = (p_t, 1 - p_t), t being the true class; NCKD compares p-hat, the softened
    prediction over the K - 1 other classes. alpha = 1 and beta = 1 - p_t of the teacher would be
    ordinary soft targets. tau squared is in the authors' code, not in Eq. 7.

    student_logits, teacher_logits: B x K, K > 1; with K = 2, NCKD is 0. target: B true classes,
    int64. alpha, beta: weights >= 0. tau: temperature > 0. No gradient reaches the teacher.
    Computed in float32 whatever comes in.
    """
    same_shape("student_logits", student_logits, "teacher_logits", teacher_logits)
    faces, classes = student_logits.shape
    if classes < 2:
        raise ValueError(f"student_logits {(faces, classes)} must be B x K with K > 1")
    if target.shape != (faces,) or target.dtype != torch.int64:
        raise ValueError(
            f"target {tuple(target.shape)} of {target.dtype} must be {faces} classes of torch.int64"
        )
    if alpha < 0 or beta < 0:
        raise ValueError(f"alpha and beta must not be negative, but are {alpha} and {beta}")
    if tau <= 0:
        raise ValueError(f"tau must be positive, not {tau}")

    true = target[:, None]
    others = torch.arange(classes - 1, device=target.device)
    others = others + (others >= true)  # B x (K - 1): every column but the true one

    def split(logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of b and of p-hat."""
        log_p = (logits.float() / tau).log_softmax(1)
        rest = log_p.gather(1, others)
        # a sum of the rest, as 1 - p_t rounds to 0, whose logarithm is infinite
        binary = torch.cat([log_p.gather(1, true), rest.logsumexp(1, keepdim=True)], 1)
        return binary, rest.log_softmax(1)

    known_b, known_rest = split(teacher_logits.detach())
    said_b, said_rest = split(student_logits)
    tckd = F.kl_div(said_b, known_b, reduction="batchmean", log_target=True)
    nckd = F.kl_div(said_rest, known_rest, reduction="batchmean", log_target=True)
    return tau**2 * (alpha * tckd + beta * nckd)
