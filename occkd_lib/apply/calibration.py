"""How sure is an answer? A temperature for classes, the size of errors for years.

Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (ICML 2017).
"""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.apply.facts import NORMAL_95, Calibration

BINS = 15
RANGE = (1e-3, 1e3)  # of the temperature; cosines of LDAM want about 1/30


def fit_temperature(output: Tensor, target: Tensor) -> float:
    """The temperature with the smallest negative log-likelihood.

    output: N x K logits, or N x 1 of two classes. target: N int64. N = 0 gives 1. Bounded by RANGE,
    which only networks that are never wrong (or always) on validation reach.
    """
    from scipy.optimize import minimize_scalar  # half a second, for those who publish

    if not len(output):
        return 1.0

    def loss(log_temperature: float) -> float:
        return log_loss(output, target, math.exp(log_temperature))

    low, high = map(math.log, RANGE)
    grid = np.linspace(low, high, 57)  # the loss has one valley, but flat ends
    best = int(np.argmin([loss(value) for value in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def log_loss(output: Tensor, target: Tensor, temperature: float) -> float:
    """Mean negative log-likelihood of N faces, N > 0; see ``fit_temperature``."""
    return float(F.cross_entropy(two_columns(output.double()) / temperature, target))


def two_columns(output: Tensor) -> Tensor:
    """The logit of the second of two classes as two logits; others as they are."""
    if output.shape[1] > 1:
        return output
    return F.pad(output, (1, 0))


def expected_calibration_error(probabilities: Tensor, target: Tensor, bins: int = BINS) -> float:
    """Mean gap between how sure the answers are and how often they are right, 0..1.

    probabilities: N x K, N > 0; target: N int64. Answers are sorted by the probability of the most
    probable class into ``bins`` of equal width, (a, b]; each counts by its number of faces.
    """
    sure, decided = probabilities.double().max(1)
    right = (decided == target).double().numpy()
    confidence = sure.numpy()
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = [abs((confidence - right)[which == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(right))


def errors_of(output: Tensor, target: Tensor) -> Calibration:
    """Of a quantity: how large the errors of N validation faces are. output: N x 1; target: N."""
    if not len(output):
        return Calibration()
    errors = (output[:, 0].double() - target.double()).numpy()
    return Calibration(
        n=len(errors), spread=float(np.sqrt((errors**2).mean())), bias=float(errors.mean()),
        sd=float(errors.std()),
    )  # fmt: skip


def coverage(output: Tensor, target: Tensor, spread: float) -> float:
    """Share of N faces whose target is within the 95 % interval about the answer."""
    errors = (output[:, 0].double() - target.double()).abs()
    return float((errors <= NORMAL_95 * spread).double().mean())
