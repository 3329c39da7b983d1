"""Colours of things that are worn on a face, RGB in 0..255."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from occkd_lib.occlusion.draws import between, pick

Palette = Sequence[tuple[float, tuple[int, int, int]]]  # how often, the colour

CLOTH: Palette = (
    (3.0, (236, 238, 240)), (2.0, (165, 205, 228)), (2.0, (120, 172, 214)), (1.5, (28, 28, 32)),
    (0.7, (40, 56, 96)), (0.6, (128, 130, 134)), (0.5, (222, 164, 176)), (0.5, (112, 158, 132)),
    (0.4, (158, 52, 54)),
)  # fmt: skip
SHELL: Palette = (
    (3.0, (30, 31, 35)), (2.0, (226, 227, 229)), (1.5, (92, 95, 101)), (0.5, (52, 60, 88)),
)  # fmt: skip
VISOR: Palette = ((3.0, (14, 15, 19)), (1.5, (58, 60, 66)), (0.7, (26, 36, 66)))
STRAP: Palette = ((3.0, (22, 22, 25)), (1.0, (110, 112, 116)), (0.7, (208, 208, 210)))
BAR: Palette = ((5.0, (6, 6, 8)), (1.5, (48, 34, 28)), (1.0, (70, 74, 82)), (0.7, (232, 232, 232)))


def colour_of(faces: Tensor, name: str, palette: Palette) -> Tensor:
    """N x 3 float32: a colour of the palette, a little lighter or darker."""
    known = torch.tensor([colour for _, colour in palette], device=faces.device).float()
    chosen = known[pick(faces, f"{name} colour", [often for often, _ in palette])]
    return chosen * between(faces, f"{name} tone", 0.92, 1.04).view(-1, 1)
