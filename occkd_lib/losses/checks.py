"""Shape checks: a silent broadcast is the worst kind of wrong loss."""

from __future__ import annotations

from torch import Tensor


def same_shape(name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    """Raise ValueError unless both are matrices of the same shape."""
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(
            f"{name_a} {tuple(a.shape)} and {name_b} {tuple(b.shape)} must be matrices "
            "of the same shape, one row per face"
        )


def same_faces(name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    """Raise ValueError unless both are matrices with as many rows; widths may differ."""
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(
            f"{name_a} {tuple(a.shape)} and {name_b} {tuple(b.shape)} must be matrices "
            "with as many rows, one row per face; flatten what has more dimensions"
        )
