"""Contrastive distillation: InfoNCE between the student's and the teacher's view of a face."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.checks import same_shape
from occkd_lib.losses.distillation.relational import unit_vectors


def contrastive_loss(
    student: Tensor, teacher: Tensor, *, tau: float = 0.1, target: Tensor | None = None
) -> Tensor:
    r"""InfoNCE: which of the teacher's faces is the student's? (van den Oord et al., 2018, Eq. 4).

    .. math:: L = -\frac{1}{B} \sum_i \log \frac{\exp(s_i \cdot t_i / \tau)}
              {\exp(s_i \cdot t_i / \tau) + \sum_{j \in N_i} \exp(s_i \cdot t_j / \tau)}

    s, t: embeddings divided by their lengths. The negatives N_i are the other faces of the batch,
    as the teacher embeds them; where target is given, faces of face i's class are left out of
    them (a face without negatives has a loss of 0). Tian et al. (CRD, ICLR 2020) distil by such
    a contrast, but with learned projections, a memory of negatives and NCE's binary form.

    student, teacher: B x D, the same width; no gradient reaches the teacher. tau: temperature > 0.
    target: B classes. Computed in float32 whatever comes in.
    """
    same_shape("student", student, "teacher", teacher)
    if tau <= 0:
        raise ValueError(f"tau must be positive, not {tau}")
    itself = torch.arange(len(student), device=student.device)
    with torch.autocast(student.device.type, enabled=False):  # bf16 is too coarse, divided by tau
        s, t = unit_vectors(student.float()), unit_vectors(teacher.detach().float())
        scores = s @ t.T / tau
    if target is not None:
        if target.shape != itself.shape:
            raise ValueError(
                f"target {tuple(target.shape)} must be {len(student)} classes, one per face"
            )
        same_class = target[:, None] == target[None, :]
        other_face = itself[:, None] != itself[None, :]
        scores = scores.masked_fill(same_class & other_face, -torch.inf)
    return F.cross_entropy(scores, itself)
