"""Seeds and faces together: what other trainings would say of other faces. The primary test.

Each seed's networks answer the same faces, so the values y (seeds x faces) are crossed: y = mean +
seed + face + rest. A mean over both has the variance of all three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from occkd_lib.tasks.metrics import Metric, Values, as_numpy, metric_of

POWER, LEVEL = 0.8, 0.05


@dataclass(frozen=True)
class OverSeeds:
    """difference: of the metric (method minus control), or a mean. low, high: its 95 % interval.
    p: two-sided. seeds: how many, S; with one, only the faces are random. The variance that the
    test reckons with is by_faces + (by_seeds + rest) / S. by_faces: what more seeds would not take
    away. by_seeds: between seeds, of one training (NaN for a single one). rest: of one training,
    what a seed says of one face and not of others."""

    difference: float
    low: float
    high: float
    p: float
    seeds: int
    by_faces: float
    by_seeds: float
    rest: float = 0.0

    def seeds_needed(self, difference: float | None = None) -> float:
        """How many seeds would show ``difference`` (by default the one seen) with a power of 80 %
        at the level of 5 %, on as many faces; infinity where no number would, NaN for one seed.

        Normal approximation: |difference| = (z_0.975 + z_0.8) sqrt(by_faces + (by_seeds + rest)/S).
        """
        size = abs(self.difference if difference is None else difference)
        reach = ndtri(1 - LEVEL / 2) + ndtri(POWER)
        room = (size / reach) ** 2 - self.by_faces
        if np.isnan(self.by_seeds):
            return np.nan
        return max(2.0, float(np.ceil((self.by_seeds + self.rest) / room))) if room > 0 else np.inf

    def within(self, least: float, most: float = math.inf) -> OverSeeds:
        """The same with an interval that ends where the metric does (a share at 0 and at 1)."""
        return replace(self, low=max(least, self.low), high=min(most, self.high))


def crossed(values: np.ndarray, groups: np.ndarray | None = None) -> OverSeeds:
    """Mean of ``values`` (seeds S x faces N), seeds and faces both random; tested against zero.

    groups: N, where the mean is one of group means (weighted accuracy); else all faces are one.
    The variance is that between faces, group by group, and that between seeds. Each holds a share
    of the rest, which is not taken off again: so the interval is rather too wide, and never
    narrower than that over faces alone. Degrees of freedom by Satterthwaite (Biometrics 1946). With
    two seeds, their variance is hardly known; expect 90 instead of 95 %. Where nothing varies the
    interval has no width, and p is 1 for a mean of 0, else 0.
    """
    seeds, n = values.shape
    if n < 2:
        raise ValueError(f"{n} faces: an interval needs two")
    known = np.zeros(n, int) if groups is None else groups
    labels = np.unique(known)
    parts: list[tuple[float, int]] = []  # (a share of the variance of the mean, its freedom)
    per_seed, rest = np.zeros(seeds), 0.0
    for label in labels:
        y = values[:, known == label]
        size, share = y.shape[1], 1 / len(labels)
        per_seed += share * y.mean(1)
        if size < 2:
            continue
        parts.append((share**2 * y.mean(0).var(ddof=1) / size, size - 1))
        if seeds > 1:
            left = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
            rest += share**2 * (left**2).sum() / ((seeds - 1) * (size - 1)) / size
    by_faces, by_seeds = float(sum(part for part, _ in parts)), np.nan
    if seeds > 1:
        by_seeds = float(per_seed.var(ddof=1))
        parts.append((by_seeds / seeds, seeds - 1))
    mean = float(per_seed.mean())
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        low, high, p = mean, mean, float(mean == 0)
    else:
        freedom = max(1.0, variance**2 / sum(part**2 / degrees for part, degrees in parts))
        error = np.sqrt(variance)
        half = float(stdtrit(freedom, 0.975) * error)
        low, high = mean - half, mean + half
        p = float(2 * stdtr(freedom, -abs(mean) / error))
    rest = min(float(rest), seeds * by_faces)  # both are estimates; a variance is not negative
    return OverSeeds(mean, low, high, p, seeds, by_faces - rest / seeds, by_seeds, rest)


def score_over_seeds(
    target: Values, predictions: np.ndarray, metric: Metric | str = "accuracy"
) -> OverSeeds:
    """A metric of a method's predictions S x N, seeds and faces both random; ``crossed``."""
    metric, truth = metric_of(metric), as_numpy(target)
    values = np.stack([metric.per_face(truth, said) for said in np.atleast_2d(predictions)])
    return crossed(values, truth if metric.by_class else None)


def gaps(
    target: Values, method: np.ndarray, control: np.ndarray, metric: Metric | str
) -> tuple[np.ndarray, np.ndarray | None]:
    """What ``crossed`` takes of a comparison: S x N, a difference a seed and face, and the groups.

    target: N. method, control: predictions S x N of the same seeds and faces.
    """
    metric, truth = metric_of(metric), as_numpy(target)
    ours, theirs = np.atleast_2d(method), np.atleast_2d(control)
    if ours.shape != theirs.shape or ours.shape[1:] != truth.shape:
        raise ValueError(
            f"method {ours.shape} and control {theirs.shape} must be seeds x {len(truth)} faces"
        )
    values = [
        metric.per_face(truth, a) - metric.per_face(truth, b)
        for a, b in zip(ours, theirs, strict=True)
    ]
    return np.stack(values), truth if metric.by_class else None


def compare_over_seeds(
    target: Values, method: np.ndarray, control: np.ndarray, metric: Metric | str = "accuracy"
) -> OverSeeds:
    """Difference of a method's and its control's metric, seeds and faces both random; ``crossed``.

    target: N. method, control: predictions S x N of the same seeds and faces.
    """
    return crossed(*gaps(target, method, control, metric))


def compare_over_faces(
    target: Values, method: np.ndarray, control: np.ndarray, metric: Metric | str = "accuracy"
) -> OverSeeds:
    """The same for *these* networks: only the faces are random, the answers of the seeds averaged.

    What it says of a method is too sure of itself: another training is another network.
    """
    values, groups = gaps(target, method, control, metric)
    return crossed(values.mean(0)[None], groups)
