"""Which half of a face is visible (journal, Sec. 4.2.2 and 4.3.2).

Occlusion happens on native pixels, before any resizing: afterwards, interpolation would leak
hidden rows across the cut.
"""

from __future__ import annotations

from torch import Tensor

VISIBLE = ("full", "lower", "upper")


def cut_row(height: int) -> int:
    """First row of the lower half: rows r < H/2 belong to the upper half."""
    return (height + 1) // 2


def occlude(images: Tensor, visible: str) -> Tensor:
    """Set the hidden half to zero.

    images: ... x H x W, any dtype; not changed. visible: the half that stays: "lower" (a VR
    headset above), "upper" (a surgical mask below) or "full". Returns a tensor of the same shape.
    """
    if visible not in VISIBLE:
        raise ValueError(f"visible must be one of {', '.join(VISIBLE)}, not {visible!r}")
    if visible == "full":
        return images
    hidden = images.clone()
    cut = cut_row(images.shape[-2])
    if visible == "lower":
        hidden[..., :cut, :] = 0
    else:
        hidden[..., cut:, :] = 0
    return hidden
