"""A surgical mask, or one of cloth: from the bridge of the nose over the chin."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.occlusion.draws import between, pick
from occkd_lib.occlusion.layers import Layer, grid, painted, soft
from occkd_lib.occlusion.palette import CLOTH, colour_of

VERSION = "1"  # raise it whenever what is drawn changes
MIDDLE = 0.7  # of the height, around which it tilts
NOSE = 0.15  # half width of the peak over the nose


def draw(faces: Tensor, height: int, width: int) -> Layer:
    """Lengths are shares of an upright face that fills its crop, as detectors cut it."""
    first, x, y = grid(height, width, faces.device, 0.26, 1.0)

    def drawn(name: str, low: float, high: float) -> Tensor:
        return between(faces, f"mask {name}", low, high)

    tilt, aside = drawn("tilt", -0.1, 0.1), drawn("aside", -0.025, 0.025)  # tilt: of the angle, tan
    top, bottom = drawn("top", 0.43, 0.52), drawn("bottom", 0.94, 1.03)
    half, taper = drawn("half width", 0.37, 0.44), drawn("taper", 0.4, 0.55)
    sag, peak, chin = drawn("sag", 0.03, 0.09), drawn("peak", 0.0, 0.05), drawn("chin", 0.03, 0.08)

    right, down = x - 0.5 - aside, y - MIDDLE
    across, along = right + tilt * down, down - tilt * right + MIDDLE  # N x 1 x h x W
    away, square = across.abs(), across * across
    out = square * (1 / (half * half))
    nose = (1 - square * (1 / NOSE**2)).clamp_min(0)
    below = along - (top + sag * out - peak * (nose * nose))  # the upper edge
    above = bottom - chin * (square * 25.0) - along  # the lower one, round around the chin
    depth = ((along - top) / (bottom - top)).clamp(0, 1)
    inside = half * (1 - taper * (depth * depth)) - away
    cloth = torch.minimum(torch.minimum(below * height, above * height), inside * width)
    cover = torch.maximum(soft(cloth), loops(away, along, half, top + sag, bottom, height))
    return Layer(first, cover, paint(faces, across, along, out, depth, below))


def loops(
    away: Tensor, along: Tensor, half: Tensor, top: Tensor, bottom: Tensor, height: int
) -> Tensor:
    """The bands that go to the ears, at most a pixel or 1 % of the face thick: N x 1 x h x W."""
    beyond = away - half
    upper = (along - (top + 0.015 - 0.35 * beyond)).abs()
    lower = (along - (0.55 * top + 0.45 * bottom - 1.5 * (beyond + 0.06))).abs() * 0.55
    near = torch.minimum(upper, torch.where(along > top, lower, 1.0)) * height
    thick = max(0.5, 0.006 * height)
    return soft(thick - near) * (beyond > -0.06)


def paint(
    faces: Tensor, across: Tensor, along: Tensor, out: Tensor, depth: Tensor, below: Tensor
) -> tuple[tuple[Tensor, Tensor], ...]:
    """Two colours in a pattern (mostly none), round towards the cheeks, pleated, lit from a side.

    The light is drawn as well: taken from the picture it would tell of what is hidden.
    """
    light = between(faces, "mask light", 0.7, 1.08)
    side = between(faces, "mask light side", -0.45, 0.45)
    pleats = between(faces, "mask pleats", -0.1, 0.28).clamp_min(0)
    folds = depth * 4
    crease = (((folds - folds.floor() - 0.5).abs() - 0.4) * 10).clamp(0, 1)
    seam = (1 - below * 45).clamp(0, 1)
    shade = light * (1 - 0.3 * out + side * across) * (1 - pleats * crease) * (1 - 0.12 * seam)
    shade = shade.clamp(0.1, 1.05)

    kind = pick(faces, "mask pattern", (8, 1, 1.4)).view(-1, 1, 1, 1)  # none, stripes, checks
    often = between(faces, "mask pattern width", 7, 16)
    stripe, row = across * often, along * often
    columns = (stripe - stripe.floor() < 0.5).float()
    rows = (row - row.floor() < 0.5).float() * (kind == 2)
    second = (columns - rows).abs() * (kind > 0) * 0.8
    cloths = (colour_of(faces, f"mask {which}", CLOTH) for which in ("first", "second"))
    return tuple(zip(cloths, (shade * (1 - second), shade * second), strict=True))


MASK = painted("all but a mask", VERSION, draw)
