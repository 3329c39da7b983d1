"""Pseudo-labels: Lee, ICML workshop 2013; with FixMatch's threshold (Sohn et al., NeurIPS 2020)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.checks import same_shape


def pseudo_label_loss(
    student_logits: Tensor, teacher_logits: Tensor, *, threshold: float = 0.95
) -> Tensor:
    r"""Cross-entropy to the teacher's class where it is sure (FixMatch, Eq. 4), batch mean.

    .. math:: L = -\frac{1}{B} \sum_i \mathbb{1}[\max_k p^T_{ik} \ge \theta] \,
              \log p^S_{i, \arg\max_k p^T_{ik}}

    student_logits, teacher_logits: B x K. threshold: theta, 0 to 1; 0 is Lee's loss. Faces of
    which the teacher is unsure count in B and give no gradient. No gradient reaches the teacher.
    Computed in float32 whatever comes in.
    """
    same_shape("student_logits", student_logits, "teacher_logits", teacher_logits)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be 0 to 1, not {threshold}")
    confidence, pseudo = teacher_logits.detach().float().softmax(1).max(1)
    each = F.cross_entropy(student_logits.float(), pseudo, reduction="none")
    return (each * (confidence >= threshold)).mean()
