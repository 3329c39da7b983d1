"""Soft targets: Hinton et al., as in the journal's Eq. 1-2."""

from __future__ import annotations

from torch import Tensor

from occkd_lib.losses.checks import same_shape


def soft_target_loss(
    student_logits: Tensor, teacher_logits: Tensor, tau: float, *, tau_squared: bool = False
) -> Tensor:
    r"""Cross-entropy of softened predictions, batch mean (journal, first term of Eq. 1; Eq. 2).

    .. math:: L = -\frac{1}{B} \sum_i \sum_k
              \mathrm{softmax}(A_T / \tau)_{ik} \, \log \mathrm{softmax}(A_S / \tau)_{ik}

    student_logits, teacher_logits: B x K. tau: temperature > 0. tau_squared: multiply by
    tau squared (Hinton's remark; the paper does not), which keeps the gradient's scale at high tau.
    No gradient reaches the teacher. Computed in float32 whatever comes in.
    """
    same_shape("student_logits", student_logits, "teacher_logits", teacher_logits)
    if tau <= 0:
        raise ValueError(f"tau must be positive, not {tau}")
    soft_teacher = (teacher_logits.detach().float() / tau).softmax(1)
    log_student = (student_logits.float() / tau).log_softmax(1)
    loss = -(soft_teacher * log_student).sum(1).mean()
    return loss * tau**2 if tau_squared else loss
