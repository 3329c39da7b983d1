"""Seeds and faces together: what other trainings would say of other faces.

Each seed's networks answer the same faces, so the values y (seeds x faces) are crossed: y = mean +
seed + face + rest. A mean over both has the variance of all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from occkd_lib.tasks.metrics import Metric, Values, as_numpy, metric_of


@dataclass(frozen=True)
class OverSeeds:
    """difference: of the metric (method minus control), or a mean. low, high: its 95 % interval.
    p: two-sided. seeds: how many; with one, only the faces are random."""

    difference: float
    low: float
    high: float
    p: float
    seeds: int


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
    per_seed = np.zeros(seeds)
    for label in labels:
        y = values[:, known == label]
        size, share = y.shape[1], 1 / len(labels)
        per_seed += share * y.mean(1)
        if size < 2:
            continue
        parts.append((share**2 * y.mean(0).var(ddof=1) / size, size - 1))
    if seeds > 1:
        parts.append((per_seed.var(ddof=1) / seeds, seeds - 1))
    mean = float(per_seed.mean())
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return OverSeeds(mean, mean, mean, float(mean == 0), seeds)
    freedom = max(1.0, variance**2 / sum(part**2 / degrees for part, degrees in parts))
    error, t = np.sqrt(variance), stats.t(freedom)
    half = t.ppf(0.975) * error
    return OverSeeds(mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error)), seeds)


def compare_over_seeds(
    target: Values, method: np.ndarray, control: np.ndarray, metric: Metric | str = "accuracy"
) -> OverSeeds:
    """Difference of a method's and its control's metric, seeds and faces both random; ``crossed``.

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
    return crossed(np.stack(values), truth if metric.by_class else None)
