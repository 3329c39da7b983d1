"""Is a difference more than luck? McNemar's test, paired bootstrap, intervals, Holm.

All of it treats the *test faces* as the sample and the trained networks as given: it says nothing
about another seed or another training set. ``over_seeds`` asks what another seed would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from occkd_lib.tasks.metrics import Metric, Values, as_numpy, checked, correct, metric_of

CHUNK = 1 << 20  # resampled faces held at once


@dataclass(frozen=True)
class McNemar:
    """p: exact, two-sided. only_a, only_b: faces that only a, only b gets right. n: all faces."""

    p: float
    only_a: int
    only_b: int
    n: int


@dataclass(frozen=True)
class Bootstrap:
    """difference: metric of a minus metric of b. low, high: its 95 % interval. p: two-sided."""

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Interval:
    """A metric's value and its 95 % interval."""

    value: float
    low: float
    high: float


def mcnemar_test(correct_a: Values, correct_b: Values) -> McNemar:
    """Exact McNemar test of two classifiers on the same N faces (journal, daggers in Table 1-2).

    correct_a, correct_b: N booleans (or 0 / 1), True where that classifier is right. Only the faces
    on which the two disagree tell them apart; under the null they split like coin tosses.
    """
    from statsmodels.stats.contingency_tables import mcnemar  # a second, for those who test

    a, b = checked(correct_a, correct_b)
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError("correct_a and correct_b must be booleans: was each prediction right?")
    a, b = a.astype(bool), b.astype(bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    return McNemar(float(mcnemar(table, exact=True).pvalue), only_a, only_b, len(a))


def paired_bootstrap(
    target: Values,
    prediction_a: Values,
    prediction_b: Values,
    metric: Metric | str,
    *,
    draws: int = 10_000,
    seed: int = 0,
    stratified: bool | None = None,
) -> Bootstrap:
    """Difference of two methods' metric, with a percentile bootstrap over the test faces.

    target: N. prediction_a, prediction_b: N, or a list of such (S x N), one per seed; the metric is
    then averaged over seeds first, and all of them share each draw of faces. metric: a Metric, or
    its name. stratified: draw within each class; by default for metrics by class (weighted
    accuracy) only, where it keeps every class in every draw.

    p is twice the share of draws on the other side of zero (the level at which the interval would
    touch zero), at least 2 / (draws + 1). Raises ValueError for unequal shapes and for strata of
    years.
    """
    metric = metric_of(metric)
    values = per_face(target, prediction_a, metric) - per_face(target, prediction_b, metric)
    groups = as_numpy(target)
    sample = resample(values, groups, metric, draws=draws, seed=seed, stratified=stratified)
    sample[np.abs(sample) < 1e-12] = 0.0  # ties are ties, whatever the rounding
    tail = min((sample <= 0).sum(), (sample >= 0).sum())
    low, high = np.percentile(sample, (2.5, 97.5))
    p = min(1.0, 2 * (tail + 1) / (draws + 1))
    return Bootstrap(statistic(values, groups, metric), float(low), float(high), float(p))


def interval(
    target: Values,
    prediction: Values,
    metric: Metric | str,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """A metric with its 95 % interval over test faces; ``prediction`` is N, or S x N (seeds).

    Wilson's interval for the accuracy of one seed; else the percentile bootstrap of the mean over
    seeds, stratified for metrics by class.
    """
    metric = metric_of(metric)
    values, groups = per_face(target, prediction, metric), as_numpy(target)
    if counts_right(metric) and len(by_seed(prediction)) == 1:
        from statsmodels.stats.proportion import proportion_confint

        low, high = proportion_confint(round(values.sum()), len(values), method="wilson")
    else:
        sample = resample(values, groups, metric, draws=draws, seed=seed)
        low, high = np.percentile(sample, (2.5, 97.5))
    return Interval(statistic(values, groups, metric), float(low), float(high))


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean of one value a seed, with Student's 95 % interval over seeds (NaN for a single one)."""
    sample = np.asarray(values, dtype=np.float64)
    mean, n = float(sample.mean()), len(sample)
    if n < 2:
        return Interval(mean, np.nan, np.nan)
    reach = float(stdtrit(n - 1, 0.975) * sample.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm-adjusted p-values of one family of tests; NaN (no test) stays NaN and is not counted.

    The smallest of m is multiplied by m, the next by m - 1 ..., and none may fall below the one
    before. (statsmodels' multipletests gives the same, but collects garbage on every call.)
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    adjusted = np.full(p.shape, np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return adjusted


def counts_right(metric: Metric) -> bool:
    """Is it a share of faces that are right? Then McNemar's test and Wilson's interval fit."""
    return metric.per_face is correct and not metric.by_class


def by_seed(prediction: Values) -> list[Values]:
    """S predictions of N, from N (one seed) or S x N."""
    several = len(prediction) > 0 and np.ndim(as_numpy(prediction[0])) > 0
    return list(prediction) if several else [prediction]


def per_face(target: Values, prediction: Values, metric: Metric) -> np.ndarray:
    """What each face adds to the metric (1 if correct, or its error in years), averaged over seeds.

    Every metric here is linear in these values, which is what makes resampling cheap.
    """
    pairs = [checked(target, p) for p in by_seed(prediction)]
    return np.mean([metric.per_face(t, p) for t, p in pairs], axis=0)


def statistic(values: np.ndarray, groups: np.ndarray, metric: Metric) -> float:
    """The metric from its per-face values: their mean, or the mean of their class means."""
    if not metric.by_class:
        return float(values.mean())
    return float(np.mean([values[groups == g].mean() for g in np.unique(groups)]))


def resample(
    values: np.ndarray,
    groups: np.ndarray,
    metric: Metric,
    *,
    draws: int,
    seed: int,
    stratified: bool | None = None,
) -> np.ndarray:
    """``draws`` bootstrap replicates of ``statistic``; values and groups (classes) are N.

    Per-face values of a classifier take few levels (2 S + 1 for S seeds), so a draw of N faces is
    a multinomial draw of how often each (class, level) occurs: the same distribution, without
    drawing faces. Errors in years are drawn face by face, a chunk of draws at a time.
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    if metric.per_face is not correct:
        if stratified or metric.by_class:
            raise ValueError("to draw class by class needs classes, not years")
        step = max(1, CHUNK // n)
        sizes = [min(step, draws - start) for start in range(0, draws, step)]
        return np.concatenate([values[rng.integers(n, size=(s, n))].mean(1) for s in sizes])

    by_class = metric.by_class if stratified is None else stratified
    if not (metric.by_class or by_class):
        groups = np.zeros(n)  # then classes do not matter: fewer cells
    cells, counts = np.unique(np.stack([groups, values]), axis=1, return_counts=True)
    classes, row = np.unique(cells[0], return_inverse=True)
    member = row == np.arange(len(classes))[:, None]  # classes x cells
    if by_class:
        drawn = np.zeros((draws, len(counts)), dtype=np.int64)
        for cell in member:
            size = counts[cell].sum()
            drawn[:, cell] = rng.multinomial(size, counts[cell] / size, size=draws)
    else:
        drawn = rng.multinomial(n, counts / n, size=draws)
    if not metric.by_class:
        return drawn @ cells[1] / n
    sizes_drawn = drawn @ member.T
    sums = (drawn * cells[1]) @ member.T
    present = sizes_drawn > 0  # a rare class may be missing from a draw: mean over the others
    recalls = np.divide(sums, sizes_drawn, out=np.zeros(sums.shape), where=present)
    return recalls.sum(1) / present.sum(1)
