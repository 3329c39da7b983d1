"""A painted layer, and how it is laid over faces.

Only sums, products, quotients and square roots, one after the other: they are rounded alike
everywhere, so that a GPU draws the same bytes. Edges are soft by a pixel, as in a photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.occlusion.base import Varied

LUMA = (0.299, 0.587, 0.114)  # how much red, green, blue count in grey: ITU-R 601, as in PIL
CHUNK = 1 << 19  # pixels at a time on a CPU: more would not fit its cache


@dataclass(frozen=True)
class Layer:
    """What is laid over N faces, from row ``first`` on.

    cover: N x 1 x h x w, 0 (the face) to 1 (hidden); w may be 1. paint: pairs (colour, how much of
    it), N x 3 RGB in 0..255 and N x 1 x h x w, added up; none is black.
    """

    first: int
    cover: Tensor
    paint: tuple[tuple[Tensor, Tensor], ...] = ()


Draw = Callable[[Tensor, int, int], Layer]  # faces (N int64), H, W


def grid(
    height: int, width: int, device: torch.device, first: float = 0.0, last: float = 1.0
) -> tuple[int, Tensor, Tensor]:
    """(first row, x 1 x 1 x 1 x W, y 1 x 1 x h x 1): centres of pixels, as shares of the face.

    first, last: between which shares of the height the rows lie.
    """
    start, end = int(first * height), min(height, int(last * height) + 1)
    rows = torch.arange(start, end, device=device, dtype=torch.float32)
    columns = torch.arange(width, device=device, dtype=torch.float32)
    x, y = (columns + 0.5) * (1 / width), (rows + 0.5) * (1 / height)
    return start, x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)


def soft(pixels: Tensor) -> Tensor:
    """Distance into a shape, in pixels -> how much of the pixel it covers, 0..1."""
    return (pixels + 0.5).clamp_(0, 1)


def laid_over(images: Tensor, layer: Layer) -> Tensor:
    """images: N x C x H x W, C = 1 or 3; uint8, or any numbers in 0..255. A new tensor."""
    last = layer.first + layer.cover.shape[2]
    result = images.clone()
    part = images[:, :, layer.first : last]
    mixed = part * (1 - layer.cover)
    for colour, share in layer.paint:
        tones = colour if images.shape[1] == 3 else grey(colour)
        mixed += tones[:, :, None, None] * (share * layer.cover)
    if not images.is_floating_point():
        mixed = mixed.round_().clamp_(0, 255)
    result[:, :, layer.first : last] = mixed.to(images.dtype)
    return result


def grey(colour: Tensor) -> Tensor:
    """N x 3 -> N x 1."""
    red, green, blue = (colour[:, k : k + 1] * share for k, share in enumerate(LUMA))
    return red + green + blue


def painted(title: str, version: str, draw: Draw) -> Varied:
    """The view of a face under what ``draw`` paints."""

    def hide(images: Tensor, faces: Tensor) -> Tensor:
        if images.ndim != 4 or len(images) != len(faces) or images.shape[1] not in (1, 3):
            raise OcckdError(
                f"view {title!r}: give images N x C x H x W, grey or RGB, and a key for each; not "
                f"{tuple(images.shape)} and {len(faces)} keys"
            )
        height, width = images.shape[-2:]
        many = max(1, CHUNK // (height * width)) if images.device.type == "cpu" else len(images)
        chunks = zip(images.split(max(1, many)), faces.split(max(1, many)), strict=True)
        return torch.cat([laid_over(part, draw(keys, height, width)) for part, keys in chunks])

    def shows(faces: Tensor, height: int, width: int) -> Tensor:
        layer = draw(faces, height, width)
        shown = torch.ones(len(faces), height, width, dtype=torch.bool, device=faces.device)
        shown[:, layer.first : layer.first + layer.cover.shape[2]] = layer.cover[:, 0] < 0.5
        return shown

    return Varied(title, version, hide, shows)
