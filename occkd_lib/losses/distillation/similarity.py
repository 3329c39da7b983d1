"""Similarity-preserving distillation: Tung & Mori, ICCV 2019."""  # codespell:ignore tung

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.losses.checks import same_faces
from occkd_lib.losses.distillation.relational import unit_vectors


def similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Squared difference of the batch's similarities (ICCV 2019, Eq. 1-3, of one layer).

    .. math:: L = \frac{1}{B^2} \lVert G_S - G_T \rVert_F^2

    G: the B x B inner products of the faces' representations, each row divided by its length.

    student: B x D, feature maps flattened. teacher: B x D', of any width; no gradient reaches it.
    A representation of zeros is similar to nothing. Computed in float32 whatever comes in.
    """
    same_faces("student", student, "teacher", teacher)
    with torch.autocast(student.device.type, enabled=False):  # it would round products to bf16
        said, known = _similarities(student.float()), _similarities(teacher.detach().float())
    return (said - known).square().mean()


def _similarities(x: Tensor) -> Tensor:
    """B x B, rows of length 1."""
    return unit_vectors(x @ x.T)
