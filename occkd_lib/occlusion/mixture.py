"""Several views in one: every face has one of them, always the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from occkd_lib.occlusion.base import Occluder, Varied, hidden_by, shown_by
from occkd_lib.occlusion.draws import pick

PLUS = "+"
VERSION = "1"  # raise it whenever the choice changes


def mixture(parts: Mapping[str, Occluder | Varied]) -> Varied:
    """The view ``lower+mask``: as many faces on each of its parts, whatever their order in it."""
    views = [parts[name] for name in sorted(parts)]
    stream = f"mixture {PLUS.join(sorted(parts))}"

    def which(faces: Tensor) -> Tensor:
        return pick(faces, stream, [1.0] * len(views))

    def hide(images: Tensor, faces: Tensor) -> Tensor:
        chosen, result = which(faces), images.clone()
        for k, view in enumerate(views):
            rows = (chosen == k).nonzero()[:, 0]
            if len(rows):
                result[rows] = hidden_by(view, images[rows], faces[rows])
        return result

    def shows(faces: Tensor, height: int, width: int) -> Tensor:
        every = torch.stack([shown_by(view, faces, height, width) for view in views])
        return every[which(faces), torch.arange(len(faces), device=faces.device)]

    versions = [f"{n} {v.version}" for n, v in sorted(parts.items()) if isinstance(v, Varied)]
    title = f"mixed: {', '.join(v.title for v in parts.values())}"
    return Varied(title, "; ".join([VERSION, *versions]), hide, shows)
