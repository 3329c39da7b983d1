"""Attention transfer: Zagoruyko & Komodakis, ICLR 2017."""

from __future__ import annotations

from torch import Tensor
from torch.linalg import vector_norm

from occkd_lib.losses.checks import same_shape
from occkd_lib.losses.distillation.relational import unit_vectors


def attention_map(maps: Tensor) -> Tensor:
    r"""Where a network looks: sum over channels of squares, length 1 (Zagoruyko & Komodakis).

    maps: B x C x H x W. Returns B x HW in float32, with the gradient of maps; the mean over
    channels would be the same. Maps of zeros give zeros.
    """
    if maps.ndim != 4:
        raise ValueError(f"maps {tuple(maps.shape)} must be B x C x H x W")
    return unit_vectors(maps.float().square().sum(1).flatten(1))


def attention_loss(student_maps: Tensor, teacher_maps: Tensor, *, squared: bool = True) -> Tensor:
    r"""Difference of attention (Zagoruyko & Komodakis, second term of Eq. 2, of one layer).

    .. math:: L = \frac{1}{B H W} \sum_i \lVert a^S_i - a^T_i \rVert_2^2
              \quad \text{or} \quad \frac{1}{B} \sum_i \lVert a^S_i - a^T_i \rVert_2

    a: ``attention_map``. squared=True, the mean of squares, is the authors' code; squared=False,
    the 2-norm, is Eq. 2. Eq. 2's factor beta / 2 is the caller's.

    student_maps, teacher_maps: B x C x H x W each, C may differ, or attention that was computed
    before, B x HW (any length; divided by it once more, as a half-precision cache rounds). No
    gradient reaches the teacher. Computed in float32 whatever comes in.
    """
    both_maps = student_maps.ndim == teacher_maps.ndim == 4
    if both_maps and student_maps.shape[2:] != teacher_maps.shape[2:]:  # 2 x 3 and 3 x 2, too
        raise ValueError(
            f"student_maps {tuple(student_maps.shape)} and teacher_maps "
            f"{tuple(teacher_maps.shape)} must have the same H x W: choose layers of the same "
            "resolution, or pool the larger"
        )
    said, known = _attention(student_maps), _attention(teacher_maps.detach())
    same_shape("attention of student_maps", said, "attention of teacher_maps", known)
    difference = said - known
    return difference.square().mean() if squared else vector_norm(difference, dim=1).mean()


def _attention(x: Tensor) -> Tensor:
    """B x HW, length 1, of maps or of attention."""
    return unit_vectors(x.float()) if x.ndim == 2 else attention_map(x)
