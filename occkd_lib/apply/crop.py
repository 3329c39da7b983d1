"""From a face found in a photo to the square crop that networks were trained on.

A network knows faces as its data set cut them: UTKFace levels the eyes, FER+ (an upright box of a
cascade of Haar features) does not; chin and forehead lie elsewhere in each. ``STYLES`` says where
CenterFace sees landmarks and box in crops of either, as medians over 300 validation faces, measured
by ``benchmarks/face_crops.py`` (numbers: outputs/reference/benchmarks/face_crops.json).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from occkd_lib.apply.detect import Face
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import MARK, imported, resolve

LARGEST = 8  # sides of the photo's longer edge that a crop may have: beyond that it is a mistake


class Style(NamedTuple):
    """How a data set cuts its faces, in units of the crop's side, whose corner is (0, 0).

    landmarks: 5 (x, y), in the order of ``Face``. side: of the crop, in longer sides of the box;
    down: from the box's centre to the crop's, in the same unit. tilt: degrees by which the data
    set's faces may lean; a face that leans more is turned back to that.
    """

    landmarks: tuple[tuple[float, float], ...]
    side: float
    down: float
    tilt: float


class Square(NamedTuple):
    """A part of a photo. box: x0, y0, x1, y1 in pixels, before it is turned by ``angle`` about its
    centre: degrees by which the face leans, clockwise as one looks at the photo."""

    box: tuple[float, float, float, float]
    angle: float = 0.0


STYLES: dict[str, Style] = {
    "utkface": Style(
        landmarks=(
            (0.297, 0.304), (0.687, 0.298), (0.486, 0.514), (0.329, 0.688), (0.649, 0.681),
        ),
        side=0.952,
        down=0.059,
        tilt=0.0,
    ),
    "ferplus": Style(
        landmarks=(
            (0.311, 0.415), (0.679, 0.405), (0.501, 0.603), (0.364, 0.758), (0.666, 0.750),
        ),
        side=1.090,
        down=-0.015,
        tilt=15.0,
    ),
}  # fmt: skip


def style(name: str) -> Style:
    """How the data set ``name`` cuts faces: one of STYLES, or a ``Style`` by import path.

    Raises OcckdError for one that is not known, "folder" among them.
    """
    if MARK in name:
        found = imported("style of crops", name)
        if not isinstance(found, Style):
            raise OcckdError(f"style of crops {name!r} is no Style (see occkd_lib.apply.crop)")
        return found
    if name == "folder":
        raise OcckdError(
            "how the faces that this model learnt from were cut is not known, so none can be "
            "searched for: say --crop for photos that are cut alike, or --box where the face is "
            '(in Python: finds="whole", or boxes=)'
        )
    return resolve("style of crops", name, STYLES)


def place(face: Face, style: Style) -> Square:
    """Where the crop of ``face`` lies.

    By its landmarks where they are known: the similarity (scale, turn, shift; least squares) that
    brings the style's onto them. Covered faces are the reason: paint over the upper half of
    UTKFace's, and the crop by boxes is 20 % too small and lies 7 % too low, by landmarks 8 % and
    1 %. By its box otherwise, without a turn. A face that is a crop already (``Face.cropped``)
    stays as it is.
    """
    if face.cropped:
        return Square(face.box)
    x0, y0, x1, y1 = face.box
    longer = max(x1 - x0, y1 - y0)
    fitted = None if face.landmarks is None else _fit(face.landmarks, style)
    if fitted is not None and 0.25 < fitted[1] / (longer * style.side) < 4:
        centre, side, angle = fitted
    else:  # or landmarks that have nothing to do with the box
        centre = complex((x0 + x1) / 2, (y0 + y1) / 2 + style.down * longer)
        side, angle = style.side * longer, 0.0
    x, y, half = centre.real, centre.imag, side / 2
    return Square((x - half, y - half, x + half, y + half), angle)


def _fit(landmarks: np.ndarray, style: Style) -> tuple[complex, float, float]:
    """Centre, side and angle (degrees) of the crop whose landmarks lie as the style's."""
    there = landmarks[:, 0] + 1j * landmarks[:, 1]
    here = np.array([complex(x, y) for x, y in style.landmarks])
    away = here - here.mean()
    factor = ((there - there.mean()) * away.conj()).sum() / (abs(away) ** 2).sum()
    side, leans = float(abs(factor)), math.degrees(np.angle(factor))
    angle = math.copysign(max(abs(leans) - style.tilt, 0.0), leans)
    turn = np.exp(1j * math.radians(angle))
    centre = there.mean() + side * turn * (0.5 + 0.5j - here.mean())
    return complex(centre), side, angle


def cut(image: np.ndarray, box: Sequence[float], size: int, *, angle: float = 0.0) -> np.ndarray:
    """The part ``box`` (x0, y0, x1, y1 in pixels) of a photo as size x size x 3 uint8.

    image: H x W x 3 uint8. What lies outside of it is black. angle: degrees by which the box is
    turned clockwise about its centre; the face in it comes out turned back. Shrinking averages
    (no aliasing); a box that is not square is stretched to one, as the data set ``folder`` does.
    The whole of a size x size image comes out unchanged. Raises OcckdError for a box that is empty,
    not finite, or far larger than the photo.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    height, width = image.shape[:2]
    sides = (x1 - x0, y1 - y0)
    if not (np.isfinite([x0, y0, x1, y1, angle]).all() and min(sides) > 0):
        raise OcckdError(f"a face's box must have finite corners and an area, not {tuple(box)}")
    if max(sides) > LARGEST * max(height, width):
        raise OcckdError(f"the box {tuple(box)} is far larger than the photo ({width}x{height})")
    photo = Image.fromarray(image)
    if angle:
        photo, (x0, y0, x1, y1) = _turned(photo, (x0, y0, x1, y1), angle)
    left, top = math.floor(x0), math.floor(y0)
    part = photo.crop((left, top, math.ceil(x1), math.ceil(y1)))  # black where there is no photo
    inside = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.asarray(part.resize((size, size), Image.Resampling.BILINEAR, box=inside))


def _turned(
    photo: Image.Image, box: tuple[float, float, float, float], angle: float
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """The content of the turned box as an upright image at the photo's scale, and its box there."""
    x0, y0, x1, y1 = box
    across, down = math.ceil(x1 - x0), math.ceil(y1 - y0)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2  # Pillow asks where in the photo each new pixel comes from
    u, v = (x1 - x0) / 2, (y1 - y0) / 2
    where = (cos, -sin, x - cos * u + sin * v, sin, cos, y - sin * u - cos * v)
    upright = photo.transform(
        (across, down), Image.Transform.AFFINE, where, Image.Resampling.BILINEAR
    )
    return upright, (0.0, 0.0, x1 - x0, y1 - y0)
