"""Painted covers for the benchmarks of ``occkd_lib.apply``: what could hide half of a face.

A cover is painted onto a square face crop, H x H x 3 uint8, with colours, shades and edges drawn by
a generator. Which half stays visible, and which family a cover belongs to, says ``COVERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from occkd_lib.apply.crop import STYLES

Points = list[tuple[float, float]]


class Cover(NamedTuple):
    """visible: the half that stays. family: left out together. paint: (crop, style, generator)."""

    visible: str
    family: str
    paint: Callable[[np.ndarray, str, np.random.Generator], np.ndarray]


def colour(generator: np.random.Generator) -> np.ndarray:
    """Mostly what masks, headsets and cloth have: white, light blue, dark, grey; or any."""
    usual = ((235, 238, 240), (160, 200, 220), (25, 25, 28), (120, 120, 125))
    if generator.random() < 0.6:
        return np.clip(np.array(usual[generator.integers(4)]) + generator.normal(0, 12, 3), 0, 255)
    return generator.uniform(0, 255, 3)


def smooth_noise(size: int, cells: int, generator: np.random.Generator) -> np.ndarray:
    """size x size, about -1 to 1, with blobs of size / cells pixels."""
    coarse = Image.fromarray(generator.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def plain(crop: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One colour under uneven light, with a little noise."""
    size = len(crop)
    light = 1 + 0.25 * smooth_noise(size, 3, generator)
    surface = colour(generator) * light[..., None] + generator.normal(0, 3, (size, size, 1))
    return np.clip(surface, 0, 255)


def patterned(crop: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Two colours: stripes, checks or blotches."""
    size = len(crop)
    first, second = colour(generator), generator.uniform(0, 255, 3)
    y, x = np.mgrid[:size, :size] / size
    turn, waves = generator.uniform(0, np.pi), generator.uniform(4, 14)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    kind = generator.integers(3)
    if kind == 0:
        share = np.sin(2 * np.pi * waves * along) > 0
    elif kind == 1:
        share = np.sin(2 * np.pi * waves * along) * np.sin(2 * np.pi * waves * across) > 0
    else:
        share = smooth_noise(size, int(waves), generator) > 0
    return np.where(share[..., None], first, second)


def skin(crop: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The crop's own colour with dark lines, as fingers have them between them."""
    size = len(crop)
    base = np.median(crop[size // 4 : -size // 4, size // 4 : -size // 4], axis=(0, 1))
    y, x = np.mgrid[:size, :size] / size
    turn = generator.uniform(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn) + 0.02 * smooth_noise(size, 4, generator)
    light = 1 + 0.15 * smooth_noise(size, 4, generator)
    light -= 0.4 * (np.cos(2 * np.pi * generator.uniform(5, 9) * along) > 0.93)
    return np.clip(base * light[..., None] * generator.uniform(0.8, 1.15), 0, 255)


def laid(crop: np.ndarray, surface: np.ndarray, points: Points, soft: float) -> np.ndarray:
    """``surface`` where the polygon (in units of the crop) is; soft: blur of its edge, pixels."""
    size = len(crop)
    area = Image.new("L", (4 * size, 4 * size))
    ImageDraw.Draw(area).polygon([(4 * size * x, 4 * size * y) for x, y in points], fill=255)
    area = area.resize((size, size), Image.Resampling.BILINEAR)
    share = np.asarray(area.filter(ImageFilter.GaussianBlur(soft)), np.float32)[..., None] / 255
    return np.round(crop * (1 - share) + surface * share).astype(np.uint8)


def half(visible: str, edge: float = 0.5) -> Points:
    """The half that is not visible, with the cut at ``edge``."""
    top, bottom = (-0.1, edge) if visible == "lower" else (edge, 1.1)
    return [(-0.1, top), (1.1, top), (1.1, bottom), (-0.1, bottom)]


def black(visible: str) -> Cover:
    """The book's own: pixels of the half are 0."""

    def paint(crop: np.ndarray, style: str, generator: np.random.Generator) -> np.ndarray:
        painted = crop.copy()
        cut = (len(crop) + 1) // 2
        painted[slice(cut) if visible == "lower" else slice(cut, None)] = 0
        return painted

    return Cover(visible, "black", paint)


def covered(visible: str, family: str, make: Callable, outline: Callable) -> Cover:
    """make: (crop, generator) -> surface; outline: (visible, style, generator) -> points."""

    def paint(crop: np.ndarray, style: str, generator: np.random.Generator) -> np.ndarray:
        points = outline(visible, style, generator)
        surface = make(crop, generator)
        return laid(crop, surface, points, generator.uniform(0, 0.01) * len(crop))

    return Cover(visible, family, paint)


def straight(visible: str, style: str, generator: np.random.Generator) -> Points:
    return half(visible, 0.5 + generator.uniform(-0.05, 0.05))


def worn(visible: str, style: str, generator: np.random.Generator) -> Points:
    """A mask over nose, mouth and chin, or a headset over brows and eyes, about the landmarks."""
    points = np.array(STYLES[style].landmarks)
    eyes, nose, mouth = points[:2, 1].mean(), points[2, 1], points[3:, 1].mean()
    apart = points[1, 0] - points[0, 0]
    middle, wide = points[:2, 0].mean(), apart * generator.uniform(0.85, 1.05)
    if visible == "upper":
        top = eyes + (nose - eyes) * generator.uniform(0.45, 0.8)
        side, chin = top + 0.06, mouth + (mouth - nose) * generator.uniform(1.2, 1.6)
        outline = [(-wide, side), (-wide / 2, top + 0.02), (0, top), (wide / 2, top + 0.02)]
        outline += [(wide, side), (0.9 * wide, mouth), (wide / 2, chin), (-wide / 2, chin)]
        outline += [(-0.9 * wide, mouth)]
    else:
        bottom = eyes + (nose - eyes) * generator.uniform(0.55, 0.9)
        top = eyes - (nose - eyes) * generator.uniform(0.7, 1.1)
        outline = [(-wide, top + 0.04), (-wide + 0.05, top), (wide - 0.05, top), (wide, top + 0.04)]
        outline += [
            (wide, bottom - 0.04),
            (wide - 0.05, bottom),
            (0.08, bottom),
            (0, bottom - 0.04),
        ]
        outline += [(-0.08, bottom), (-wide + 0.05, bottom), (-wide, bottom - 0.04)]
    return [(middle + x, y) for x, y in outline]


def blob(visible: str, style: str, generator: np.random.Generator) -> Points:
    """A roundish area over both eyes, or over nose and mouth."""
    points = np.array(STYLES[style].landmarks)
    eyes, nose, mouth = points[:2, 1].mean(), points[2, 1], points[3:, 1].mean()
    centre = eyes if visible == "lower" else (2 * mouth + nose) / 3
    across, down = generator.uniform(0.3, 0.5), (nose - eyes) * generator.uniform(0.7, 1.0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = 1 + 0.08 * generator.normal(size=24)
    x = points[2, 0] + across * radii * np.cos(angles) + generator.uniform(-0.04, 0.04)
    return list(zip(x.tolist(), (centre + down * radii * np.sin(angles)).tolist(), strict=True))


COVERS: dict[str, Cover] = {
    "black upper half": black("lower"),
    "plain upper half": covered("lower", "plain", plain, straight),
    "patterned upper half": covered("lower", "patterned", patterned, straight),
    "headset": covered("lower", "worn", plain, worn),
    "hand over the eyes": covered("lower", "hand", skin, blob),
    "black lower half": black("upper"),
    "plain lower half": covered("upper", "plain", plain, straight),
    "patterned lower half": covered("upper", "patterned", patterned, straight),
    "mask": covered("upper", "worn", plain, worn),
    "hand over the mouth": covered("upper", "hand", skin, blob),
}
FAMILIES = tuple(dict.fromkeys(cover.family for cover in COVERS.values()))
