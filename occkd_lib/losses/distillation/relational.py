"""Relational distillation (RKD): Park et al., CVPR 2019."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.checks import same_faces


def relational_distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Huber loss on distances between the faces of a batch (Park et al., RKD-D, Eq. 5-8).

    .. math:: L = \frac{1}{B^2} \sum_i \sum_j \ell \Bigl( \frac{\lVert s_i - s_j \rVert_2}{\mu_S},
              \frac{\lVert t_i - t_j \rVert_2}{\mu_T} \Bigr)

    mu: mean of the batch's distances, those of 0 left out; the student's has a gradient, too. Eq. 7
    sums over pairs; the mean over all B x B (a face and itself: 0) is the authors' code. 0 where
    all of student and all of teacher is one point.

    student: B x D. teacher: B x D', of any width; no gradient reaches it. Computed in float32
    whatever comes in.
    """
    same_faces("student", student, "teacher", teacher)
    with torch.autocast(student.device.type, enabled=False):
        return F.smooth_l1_loss(_distances(student.float()), _distances(teacher.detach().float()))


def relational_angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Huber loss on angles between the faces of a batch (Park et al., RKD-A, Eq. 8-10).

    .. math:: L = \frac{1}{B^3} \sum_j \sum_i \sum_k \ell (\cos \angle s_i s_j s_k,
              \cos \angle t_i t_j t_k)

    Eq. 10 sums over triplets; the mean over all B x B x B is the authors' code. Where two of the
    three are one point there is no angle: its cosine counts as 0.

    student: B x D. teacher: B x D', of any width; no gradient reaches it. Memory B x B x (B + D).
    Computed in float32 whatever comes in.
    """
    same_faces("student", student, "teacher", teacher)
    with torch.autocast(student.device.type, enabled=False):  # it would round bmm to bf16
        return F.smooth_l1_loss(_cosines(student.float()), _cosines(teacher.detach().float()))


def unit_vectors(x: Tensor, floor: float | Tensor = 1e-12, *, dim: int = 1) -> Tensor:
    """Vectors along dim divided by their lengths; those no longer than floor stay as they are.

    ``F.normalize`` divides the short ones by its eps, and multiplies their gradient by 1 / eps.
    """
    length = torch.linalg.vector_norm(x, dim=dim, keepdim=True)  # its slope at 0 is 0
    return x / length.where(length > floor, 1)


def _differences(x: Tensor) -> Tensor:
    """B x B x D: from face i (first axis) to face j."""
    return x[None, :] - x[:, None]


def _distances(x: Tensor) -> Tensor:
    """B x B, divided by the mean of those that are not 0."""
    # not by |a|^2 - 2ab + |b|^2, which cancels for close faces; its slope at 0 is 0
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    mean = distances.sum() / (distances > 0).sum().clamp_min(1)
    return distances / mean.where(mean > 0, 1)


def _cosines(x: Tensor) -> Tensor:
    """B x B x B: of the angle at face j (first axis) between faces i and k."""
    # The same face twice in a batch differs by rounding alone, which points nowhere.
    noise = 1e-6 * torch.linalg.vector_norm(x.detach(), dim=1).max()
    directions = unit_vectors(_differences(x), noise, dim=2)
    return directions.bmm(directions.transpose(1, 2))
