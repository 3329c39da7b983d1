"""A band over the eyes: a censor's bar, or sunglasses with a gap for the nose."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.occlusion.draws import between
from occkd_lib.occlusion.layers import Layer, grid, painted, soft
from occkd_lib.occlusion.palette import BAR, colour_of

VERSION = "1"  # raise it whenever what is drawn changes
NOSE = 0.1  # half width of the gap for the nose


def draw(faces: Tensor, height: int, width: int) -> Layer:
    """Lengths are shares of an upright face that fills its crop, as detectors cut it."""
    first, x, y = grid(height, width, faces.device, 0.08, 0.6)

    def drawn(name: str, low: float, high: float) -> Tensor:
        return between(faces, f"band {name}", low, high)

    tilt, middle = drawn("tilt", -0.08, 0.08), drawn("middle", 0.32, 0.37)
    thick, half = drawn("thick", 0.085, 0.12), drawn("half width", 0.36, 0.6)
    gap = drawn("nose", -0.06, 0.08).clamp_min(0)
    across, under = x - 0.5, y - middle
    across, down = across + tilt * under, under - tilt * across
    nose = (1 - across * across * (1 / NOSE**2)).clamp_min(0)
    inside = thick - down.abs() - gap * nose * (down > 0)
    cover = soft(torch.minimum(inside * height, (half - across.abs()) * width))
    shine = drawn("shine", 0.0, 1.2) * (1 - (down + 0.4 * thick).abs() * 25).clamp_min(0)
    shade = drawn("light", 0.7, 1.05) * (1 + shine)
    return Layer(first, cover, ((colour_of(faces, "band", BAR), shade.clamp_max(1.1)),))


BAND = painted("all but a band", VERSION, draw)
