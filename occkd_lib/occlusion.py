"""What is visible of a face: full, lower or upper half (journal, Sect. 4.2.2), or your own view.

Occlusion happens on native pixels, before any resizing: afterwards, interpolation would leak
hidden rows across the cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from occkd_lib.plugins import MARK, imported


class Occluder(NamedTuple):
    """A view of a face. hide: ... x H x W -> the same shape, hidden pixels 0, input unchanged.

    It must treat every image alike: what it hides may depend on H and W only.
    """

    title: str
    hide: Callable[[Tensor], Tensor]


def cut_row(height: int) -> int:
    """First row of the lower half: rows r < H/2 belong to the upper half."""
    return (height + 1) // 2


def lower_half(images: Tensor) -> Tensor:
    """A VR headset above: the rows of the upper half are 0."""
    hidden = images.clone()
    hidden[..., : cut_row(images.shape[-2]), :] = 0
    return hidden


def upper_half(images: Tensor) -> Tensor:
    """A surgical mask below: the rows of the lower half are 0."""
    hidden = images.clone()
    hidden[..., cut_row(images.shape[-2]) :, :] = 0
    return hidden


OCCLUDERS: dict[str, Occluder] = {
    "full": Occluder("full face", lambda images: images),
    "lower": Occluder("lower half", lower_half),
    "upper": Occluder("upper half", upper_half),
}


def occluder(visible: str) -> Occluder:
    """The view called ``visible``: one of OCCLUDERS, or a function by import path.

    Raises ValueError for a name there is not, OcckdError for an import path that leads nowhere.
    """
    if MARK in visible:
        found = imported("view", visible)
        return found if isinstance(found, Occluder) else Occluder(visible.split(MARK)[1], found)
    if visible not in OCCLUDERS:
        raise ValueError(f"visible must be one of {', '.join(OCCLUDERS)}, not {visible!r}")
    return OCCLUDERS[visible]


def occlude(images: Tensor, visible: str) -> Tensor:
    """Set what is hidden to zero.

    images: ... x H x W, any dtype; not changed. visible: the view that stays: "lower" (a VR
    headset above), "upper" (a surgical mask below), "full", or another of OCCLUDERS. Returns a
    tensor of the same shape.
    """
    return occluder(visible).hide(images)


def visible_pixels(visible: str, height: int, width: int) -> Tensor:
    """H x W bool: where the view shows the face."""
    return occlude(torch.ones(1, height, width), visible)[0] != 0


def view_title(visible: str) -> str:
    """The view in words: ``lower half``."""
    return occluder(visible).title
