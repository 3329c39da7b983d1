"""Black from above or below: half of the face (journal, Sect. 4.2.2), any share, a varied share."""

from __future__ import annotations

import re
from functools import partial

import torch
from torch import Tensor

from occkd_lib.occlusion.base import Occluder
from occkd_lib.occlusion.draws import between
from occkd_lib.occlusion.layers import Layer, grid, painted

VERSION = "1"  # of the varied cuts; raise it whenever what is drawn changes
SHARE = re.compile(r"(top|bottom)_(\d{1,2})")  # top_25: the upper 25 % are hidden


def cut_row(height: int, share: int = 50) -> int:
    """First row below the upper ``share`` %: rows r < H share / 100 belong to it."""
    return -(-height * share // 100)


def lower_half(images: Tensor) -> Tensor:
    """A VR headset above: the rows of the upper half are 0."""
    return hide_top(images, 50)


def upper_half(images: Tensor) -> Tensor:
    """A surgical mask below: the rows of the lower half are 0."""
    return hide_bottom(images, 50)


def hide_top(images: Tensor, share: int) -> Tensor:
    """The rows of the upper ``share`` % are 0. images: ... x H x W."""
    hidden = images.clone()
    hidden[..., : cut_row(images.shape[-2], share), :] = 0
    return hidden


def hide_bottom(images: Tensor, share: int) -> Tensor:
    """The rows of the lower ``share`` % are 0. images: ... x H x W."""
    hidden = images.clone()
    hidden[..., cut_row(images.shape[-2], 100 - share) :, :] = 0
    return hidden


def hidden_share(visible: str) -> tuple[str, int] | None:
    """``top_25`` -> ("top", 25); None for a view that is not called so."""
    found = SHARE.fullmatch(visible)
    return (found[1], int(found[2])) if found else None


def part_hidden(side: str, share: int) -> Occluder:
    """The view that ``top_25`` or ``bottom_25`` names, 0 to 99 %."""
    hide, rest = {"top": (hide_top, "lower"), "bottom": (hide_bottom, "upper")}[side]
    return Occluder(f"{rest} {100 - share} %", partial(hide, share=share))


def varied_cut(faces: Tensor, height: int, width: int, *, side: str) -> Layer:
    """Black from ``side`` to a row anywhere between 40 and 60 % of the height."""
    _, _, y = grid(height, width, faces.device)
    above = y < between(faces, f"cut {side}", 0.4, 0.6)
    return Layer(0, (above if side == "top" else ~above).to(torch.float32))


LOWER_VARIED = painted("lower half, varied", VERSION, partial(varied_cut, side="top"))
UPPER_VARIED = painted("upper half, varied", VERSION, partial(varied_cut, side="bottom"))
