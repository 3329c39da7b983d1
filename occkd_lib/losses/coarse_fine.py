"""Coarse labels of expressions: positive, negative, neutral, surprise (emotional education)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

COARSE = ("positive", "negative", "neutral", "surprise")
OF = {
    "happiness": "positive",
    "sadness": "negative", "anger": "negative", "disgust": "negative", "fear": "negative",
    "neutral": "neutral",
    "surprise": "surprise",
}  # fmt: skip


def coarse_shares(classes: Sequence[str], *, contempt: str = "negative") -> Tensor:
    """Which coarse class each fine one belongs to: K x 4, one 1 a row (Li et al., Sect. III-B).

    classes: names of expressions. contempt: its coarse class, which the paper does not state.
    Raises ValueError for a class that has no place.
    """
    places = {**OF, "contempt": contempt}
    if contempt not in COARSE:
        raise ValueError(f"contempt must be one of {', '.join(COARSE)}, not {contempt!r}")
    unknown = [name for name in classes if name not in places]
    if unknown:
        raise ValueError(f"no coarse class for {', '.join(unknown)}")
    return torch.eye(len(COARSE))[[COARSE.index(places[name]) for name in classes]]


def coarse_labels(targets: Tensor, classes: Sequence[str], *, contempt: str = "negative") -> Tensor:
    """Fine labels as indices of COARSE; targets: N, int64, indices of ``classes``.

    contempt, errors: see ``coarse_shares``.
    """
    return coarse_shares(classes, contempt=contempt).argmax(1).to(targets.device)[targets]
