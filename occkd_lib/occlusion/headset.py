"""A VR headset: a rounded box over eyes and forehead, and the strap that holds it."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.occlusion.draws import between
from occkd_lib.occlusion.layers import Layer, grid, painted, soft
from occkd_lib.occlusion.palette import SHELL, STRAP, VISOR, colour_of

VERSION = "1"  # raise it whenever what is drawn changes
NOSE = 0.11  # half width of the gap for the nose


def rounded(across: Tensor, down: Tensor, half: tuple[Tensor, Tensor], radius: Tensor) -> Tensor:
    """How far inside a box with round corners, in the unit of the arguments; negative outside."""
    beyond = across.abs() - (half[0] - radius), down.abs() - (half[1] - radius)
    corner = [part.clamp_min(0) for part in beyond]
    outside = (corner[0] * corner[0] + corner[1] * corner[1]).sqrt()
    return radius - outside - torch.maximum(*beyond).clamp_max(0)


def draw(faces: Tensor, height: int, width: int) -> Layer:
    """Lengths are shares of an upright face that fills its crop, as detectors cut it."""
    first, x, y = grid(height, width, faces.device, 0.0, 0.66)

    def drawn(name: str, low: float, high: float) -> Tensor:
        return between(faces, f"headset {name}", low, high)

    tilt, aside = drawn("tilt", -0.08, 0.08), drawn("aside", -0.02, 0.02)  # tilt: tan of the angle
    top, bottom = drawn("top", 0.0, 0.1), drawn("bottom", 0.45, 0.52)
    half, radius = drawn("half width", 0.35, 0.44), drawn("corner", 0.05, 0.13)
    gap = drawn("nose", 0.0, 0.05)

    centre, tall = 0.5 * (top + bottom), 0.5 * (bottom - top)
    right, under = x - 0.5 - aside, y - centre
    across, down = right + tilt * under, under - tilt * right  # N x 1 x h x W
    nose = (1 - across * across * (1 / NOSE**2)).clamp_min(0)
    reach = tall - gap * nose * (down > 0)
    inside = rounded(across, down, (half, reach), radius)
    box = soft(inside * height)
    thick = drawn("strap", 0.04, 0.075)
    hold = thick - (down - drawn("strap place", -0.05, 0.03)).abs()
    strap = soft(hold * height) * (across.abs() > half - 0.05)

    light, side = drawn("light", 0.65, 1.05), drawn("light side", -0.4, 0.4)
    shade = (light * (1 - 0.8 * down + side * across)).clamp(0.15, 1.3)
    rim = drawn("rim", 0.02, 0.07)
    visor = soft((inside - rim) * height)
    shine = (1 - (across * 0.7 + down - drawn("shine", -0.25, 0.25)).abs() * 9).clamp_min(0)
    glass = shade * (1 + 1.6 * shine)
    edge = 1 - 0.35 * (1 - (inside - rim).abs() * 70).clamp_min(0)  # the groove around the visor
    only = (1 - box) * strap
    cover = torch.maximum(box, strap)
    share = only / cover.clamp_min(1e-6)  # of the strap, where there is something at all
    front = 1 - share
    paint = (
        (colour_of(faces, "headset shell", SHELL), front * (1 - visor) * shade * edge),
        (colour_of(faces, "headset visor", VISOR), front * visor * glass),
        (colour_of(faces, "headset strap", STRAP), share * shade),
    )
    return Layer(first, cover, paint)


HEADSET = painted("all but a headset", VERSION, draw)
