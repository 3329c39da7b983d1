"""Your own picture over the face: a PNG of the whole crop, transparent where the face shows."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.occlusion.base import Varied
from occkd_lib.occlusion.layers import Layer, painted

SUFFIX = ".png"


@lru_cache(maxsize=8)
def picture(path: str) -> Varied:
    """The view called like its file, from where you are or absolute; the same on every face.

    Its version is a hash of the file. Raises OcckdError where there is no such picture, or one
    without transparency: it would leave nothing of the face.
    """
    try:
        content = Path(path).read_bytes()
        with Image.open(path) as file:
            whole = file.convert("RGBA")
    except (OSError, UnidentifiedImageError) as error:
        raise OcckdError(
            f"view {path!r} cannot be read ({error}): give the path of a PNG, from the folder that "
            "you run in"
        ) from None
    if np.asarray(whole)[..., 3].min() == 255:
        raise OcckdError(f"view {path!r} is nowhere transparent: nothing of the face would show")

    @lru_cache(maxsize=8)
    def sized(height: int, width: int) -> Tensor:
        small = whole.resize((width, height), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(small).copy()).float().permute(2, 0, 1)  # 4 x H x W

    def draw(faces: Tensor, height: int, width: int) -> Layer:
        pixels, n = sized(height, width).to(faces.device), len(faces)
        primaries = 255 * torch.eye(3, device=faces.device)
        paint = tuple(
            (primaries[k].expand(n, 3), (pixels[k] * (1 / 255)).expand(n, 1, -1, -1))
            for k in range(3)
        )
        return Layer(0, (pixels[3] * (1 / 255)).expand(n, 1, -1, -1), paint)

    name = Path(path).name.removesuffix(SUFFIX)
    return painted(f"all but {name}", hashlib.sha256(content).hexdigest()[:16], draw)
