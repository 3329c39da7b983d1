"""What an occluder is: alike for every face, or drawn face by face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Occluder(NamedTuple):
    """A view of a face. hide: ... x H x W -> the same shape, hidden pixels 0, input unchanged.

    It must treat every image alike: what it hides may depend on H and W only. See ``Varied``.
    """

    title: str
    hide: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Varied:
    """A view whose occluder varies from face to face, and is the same whenever a face is seen.

    hide: images N x C x H x W (C = 1 or 3; 0..255), faces -> the same shape and dtype, the input
    unchanged. shows: faces, H, W -> N x H x W bool, where the face can be seen. faces: N int64,
    ``draws.face_keys``; all that an occluder may depend on beside H and W, never on the pixels.
    version: to be raised whenever what is drawn changes: runs and kept features know it.
    """

    title: str
    version: str
    hide: Callable[[Tensor, Tensor], Tensor]
    shows: Callable[[Tensor, int, int], Tensor]


def shown_by(occluder: Occluder | Varied, faces: Tensor, height: int, width: int) -> Tensor:
    """N x H x W bool: where each face can be seen."""
    if isinstance(occluder, Varied):
        return occluder.shows(faces, height, width)
    shown = occluder.hide(torch.ones(1, height, width, device=faces.device)) != 0
    return shown.expand(len(faces), -1, -1)


def hidden_by(occluder: Occluder | Varied, images: Tensor, faces: Tensor) -> Tensor:
    """N x C x H x W, what is hidden painted over; the input unchanged."""
    return occluder.hide(images, faces) if isinstance(occluder, Varied) else occluder.hide(images)
