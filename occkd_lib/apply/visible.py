"""Which half of a face crop can be seen: an estimate, for photos of which nobody has said it.

A linear softmax classifier on local edges, trained by ``benchmarks/visible.py`` on faces of FER+
and UTKFace with *painted* covers; no real mask or headset was in its test. Accuracy on test faces
(UTKFace / FER+; outputs/reference/benchmarks/visible.json): nothing covered 0.98 / 0.92; black or
plain halves 0.99 or more; masks 0.99 / 0.97 and headsets 0.96 / 0.96 (0.97 / 0.93 and 0.90 / 0.82
if the training had neither); patterned halves 0.94 / 0.78 (untrained 0.49 / 0.41), hands 0.81 /
0.67 (untrained 0.31 / 0.27). So a kind of cover that it was not trained on is often taken for none
at all. Who knows what is hidden should say it instead.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from PIL import Image

from occkd_lib.occlusion import LUMA, cut_row

Visible = Literal["full", "lower", "upper"]
VIEWS: tuple[Visible, ...] = get_args(Visible)
WEIGHTS = Path(__file__).with_name("visible.npz")  # weights: 3 x 540, bias: 3; float32
SIDE, CELLS, FINE = 48, 6, 12  # pixels of the crop that is looked at; cells a side, of either kind


class Judgement(NamedTuple):
    """What can be seen, and the probability that this is right, 1/3 to 1.

    The probability is calibrated on kinds of cover that the classifier was not trained on.
    """

    visible: Visible
    confidence: float


def judge_visible(crop: np.ndarray) -> Judgement:
    """Which half of a face is visible. crop: H x W x 3 uint8 RGB, cut as networks want it.

    "lower": something covers the eyes (a headset); "upper": something covers nose and mouth (a
    mask). A half whose pixels are all 0, as the book hides it, is certain.
    """
    cut = cut_row(crop.shape[0])
    seen = bool(crop[:cut].any()), bool(crop[cut:].any())
    if seen == (False, True):
        return Judgement("lower", 1.0)
    if seen == (True, False):
        return Judgement("upper", 1.0)
    weights, bias = _learnt()
    scores = weights @ features(crop) + bias
    shares = np.exp(scores - scores.max())
    best = int(shares.argmax())
    return Judgement(VIEWS[best], float(shares[best] / shares.sum()))


@cache
def _learnt() -> tuple[np.ndarray, np.ndarray]:
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        return stored["weights"], stored["bias"]


def features(crop: np.ndarray) -> np.ndarray:
    """What the classifier sees of a crop (H x W x 3 uint8): 540 float32.

    Of 6 x 6 cells: how their edges lie (6 directions, normalised) and how strong they are beside
    the other cells'; of 12 x 12: how much their pixels differ, and how colourful they are.
    """
    small = Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(small, np.float32) / 255
    down, right = np.gradient(pixels @ np.array(LUMA, np.float32))
    strength, direction = np.hypot(down, right), np.arctan2(down, right) % np.pi
    sector = np.minimum((direction * (6 / np.pi)).astype(int), 5)
    edges = np.stack([_cells(strength * (sector == k), CELLS).mean((1, 3)) for k in range(6)], 2)
    lie = edges / (np.linalg.norm(edges, axis=2, keepdims=True) + 0.01)
    strong = np.log(edges.sum(2) + 0.003)
    fine = _cells(pixels, FINE)
    differ, mean = np.log(fine.std((1, 3)).mean(2) + 0.004), fine.mean((1, 3))
    colourful = mean.max(2) - mean.min(2)
    parts = (lie, strong - strong.mean(), differ, colourful)
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def _cells(values: np.ndarray, cells: int) -> np.ndarray:
    """SIDE x SIDE (x C) -> cells x pixels x cells x pixels (x C)."""
    return values.reshape(cells, SIDE // cells, cells, SIDE // cells, *values.shape[2:])
