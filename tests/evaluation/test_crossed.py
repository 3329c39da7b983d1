"""Seeds and faces together: by hand, against simulated truth, and where nothing varies."""

import numpy as np
import pytest
from scipy import stats

from occkd_lib.evaluation import (
    OverSeeds,
    accuracy,
    compare_over_faces,
    compare_over_seeds,
    crossed,
    score_over_seeds,
    weighted_accuracy,
)


def test_by_hand():
    """Two seeds, two faces: mean squares of seeds 2, of faces 8, of the rest 0."""
    found = crossed(np.array([[1.0, 3.0], [2.0, 4.0]]))
    # seeds: means 2 and 3, var 0.5 / 2; faces: means 1.5 and 3.5, MS 4, over 2 x 2; rest 0
    variance = 0.25 + 1.0
    freedom = variance**2 / (0.25**2 + 1.0**2)
    half = stats.t(freedom).ppf(0.975) * variance**0.5
    assert (found.difference, found.seeds) == (2.5, 2)
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half))
    assert found.p == pytest.approx(2 * stats.t(freedom).sf(2.5 / variance**0.5))


def test_one_seed_is_the_t_test_over_faces():
    values = np.random.default_rng(0).normal(0.1, 1, (1, 200))
    found, expected = crossed(values), stats.ttest_1samp(values[0], 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


@pytest.mark.parametrize(
    ("seeds", "of_seeds", "of_faces", "rest"),
    [
        (5, 0.02, 0.3, 0.3),
        (3, 0.05, 0.3, 0.3),
        (5, 0.0, 0.3, 0.3),
        (5, 0.02, 0.0, 0.4),
        (2, 0.02, 0.3, 0.3),
    ],
)
def test_the_truth_lies_within_in_95_of_100_studies(seeds, of_seeds, of_faces, rest):
    rng, inside, n = np.random.default_rng(1), 0, 1000
    for _ in range(n):
        y = of_seeds * rng.normal(size=(seeds, 1)) + of_faces * rng.normal(size=200)
        found = crossed(y + rest * rng.normal(size=(seeds, 200)))
        inside += found.low <= 0 <= found.high
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
    assert (0.88 if seeds == 2 else 0.93) < inside / n < 0.99


def test_faces_alone_would_be_wrong_where_seeds_vary():
    """The test of the journal takes the networks as given: here it errs one time in seven."""
    rng, crossed_false, faces_false = np.random.default_rng(2), 0, 0
    for _ in range(400):
        y = 0.03 * rng.normal(size=(5, 1)) + 0.3 * rng.normal(size=400)
        crossed_false += crossed(y).p < 0.05
        faces_false += stats.ttest_1samp(y.mean(0), 0).pvalue < 0.05
    assert crossed_false / 400 < 0.09 and faces_false / 400 > 0.15


def test_differences_of_metrics():
    rng = np.random.default_rng(3)
    target = rng.integers(0, 3, 90)
    ours, theirs = (np.where(rng.random((4, 90)) < p, target, 0) for p in (0.8, 0.6))
    for name, metric in (("accuracy", accuracy), ("weighted_accuracy", weighted_accuracy)):
        found = compare_over_seeds(target, ours, theirs, name)
        gaps = [metric(target, a) - metric(target, b) for a, b in zip(ours, theirs, strict=True)]
        assert found.difference == pytest.approx(np.mean(gaps)) and found.seeds == 4
        assert found.low < found.difference < found.high
    one = compare_over_seeds(target, ours[0], theirs[0])
    assert one.seeds == 1
    years = compare_over_seeds(target.astype(float), ours + 1.0, theirs, "mean_absolute_error")
    gaps = np.abs(ours + 1 - target).mean() - np.abs(theirs - target).mean()
    assert years.difference == pytest.approx(gaps)


def test_a_rare_class_counts_as_much_as_its_interval_says():
    """A class of two faces makes the interval of the weighted accuracy wide."""
    target = np.array([0] * 400 + [1] * 2)
    right = np.ones((3, 402))
    right[:, 0:400:4], right[:, 400] = 0, 0
    all_faces, by_class = crossed(right), crossed(right, target)
    assert by_class.difference == pytest.approx((0.75 + 0.5) / 2)
    assert by_class.high - by_class.low > 5 * (all_faces.high - all_faces.low)


def test_edges():
    same = crossed(np.zeros((3, 5)))
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert crossed(np.ones((3, 5))).p == 0
    lonely = crossed(np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), np.array([0, 1, 1]))
    assert lonely.low < lonely.difference < lonely.high, "a class of one face has no spread"
    with pytest.raises(ValueError, match="an interval needs two"):
        crossed(np.ones((3, 1)))
    with pytest.raises(ValueError, match="seeds x 4 faces"):
        compare_over_seeds(np.zeros(4), np.zeros((2, 4)), np.zeros((3, 4)))


def test_an_interval_ends_where_the_metric_does():
    found = OverSeeds(0.5, -0.2, 1.3, 0.04, 3, by_faces=1.0, by_seeds=2.0)
    share, years = found.within(0, 1), found.within(0)
    assert (share.low, share.high) == (0, 1)
    assert (years.low, years.high) == (0, 1.3)
    assert (share.difference, share.p, share.by_seeds) == (0.5, 0.04, 2.0)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_crossed_bootstrap(seed):
    """Seeds and faces drawn anew, both with replacement: the interval is nearly the same."""
    rng = np.random.default_rng(seed)
    y = 0.5 + 0.02 * rng.normal(size=(20, 1)) + 0.4 * rng.normal(size=500)
    y = y + 0.3 * rng.normal(size=y.shape)
    found, drawn = crossed(y), []
    for _ in range(2000):
        chosen = y[rng.integers(20, size=20)]
        drawn.append(chosen[:, rng.integers(500, size=500)].mean())
    low, high = np.percentile(drawn, (2.5, 97.5))
    width = found.high - found.low
    assert width == pytest.approx(high - low, rel=0.1)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * width)


def test_faces_alone_average_the_seeds():
    rng = np.random.default_rng(5)
    target = rng.integers(0, 2, 60)
    ours, theirs = (np.where(rng.random((3, 60)) < p, target, 1 - target) for p in (0.8, 0.6))
    gaps = ((ours == target).mean(0) - (theirs == target).mean(0)).astype(float)
    found, expected = compare_over_faces(target, ours, theirs), stats.ttest_1samp(gaps, 0)
    assert (found.difference, found.p) == pytest.approx((gaps.mean(), expected.pvalue))
    both = compare_over_seeds(target, ours, theirs)
    assert both.difference == pytest.approx(found.difference)
    assert both.by_faces + both.rest / 3 == pytest.approx(gaps.var(ddof=1) / 60)
    per_seed = (ours == target).mean(1) - (theirs == target).mean(1)
    assert both.by_seeds == pytest.approx(per_seed.var(ddof=1)) and np.isnan(found.by_seeds)
    assert both.high - both.low > found.high - found.low
    assert score_over_seeds(target, ours).difference == pytest.approx((ours == target).mean())


def test_what_more_seeds_take_away_by_hand():
    """Rest +-1 in all four cells: mean square 4, over two faces 2, over two seeds 1."""
    found = crossed(np.array([[1.0, -1.0], [-1.0, 1.0]]) + np.array([0.0, 4.0]))
    # faces: means 0 and 4, variance 8, over 2: 4, of which rest / 2 = 1 is not theirs
    assert (found.by_faces, found.by_seeds, found.rest) == pytest.approx((3.0, 0.0, 2.0))
    still = crossed(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert (still.by_faces, still.rest) == (0, 0), "no faces to take it off from"
    by_class = crossed(
        np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]) + np.array([0.0, 4.0, 0.0]),
        np.array([0, 0, 1]),
    )
    assert (by_class.by_faces, by_class.rest) == pytest.approx((3 / 4, 2 / 4))


def test_the_parts_of_the_variance_are_those_of_the_truth():
    rng, n, seeds = np.random.default_rng(8), 100, 4
    parts = [
        crossed(
            0.1 * rng.normal(size=(seeds, 1)) + rng.normal(size=n) + 2 * rng.normal(size=(seeds, n))
        )
        for _ in range(300)
    ]
    by_faces, by_seeds, rest = (
        np.mean([getattr(found, name) for found in parts])
        for name in ("by_faces", "by_seeds", "rest")
    )
    assert rest == pytest.approx(4 / n, rel=0.03) and by_faces == pytest.approx(1 / n, rel=0.05)
    assert by_seeds == pytest.approx(0.01 + 4 / n, rel=0.1)


def test_seeds_needed_by_hand():
    """by_faces 1, by_seeds 12, (1.960 + 0.842)^2 = 7.849: 4^2 / 7.849 - 1 = 1.0385; 12 / it."""
    found = OverSeeds(4.0, 0, 0, 0, 5, by_faces=1.0, by_seeds=12.0)
    assert found.seeds_needed() == 12  # 11.55
    more = OverSeeds(4.0, 0, 0, 0, 5, by_faces=1.0, by_seeds=12.0, rest=3.0)
    assert more.seeds_needed() == 15  # 14.44
    assert found.seeds_needed(100.0) == 2, "a variance needs two"
    assert found.seeds_needed(2.5) == np.inf, "no number of seeds makes up for too few faces"
    assert np.isnan(crossed(np.ones((1, 5))).seeds_needed())


@pytest.mark.parametrize(("rest", "most"), [(0.0, 0.88), (0.2, 0.95)])
def test_as_many_seeds_as_needed_find_it_four_times_in_five(rest, most):
    """t instead of normal: a little less than 0.8; the rest counts twice in the test: more."""
    rng = np.random.default_rng(6)
    true, of_seeds, of_faces, n = 0.01, 0.01, 0.05, 400
    own = rest**2 / n
    truth = OverSeeds(true, 0, 0, 0, 2, of_faces**2 / n, of_seeds**2 + own, own)
    seeds, hits = int(truth.seeds_needed()), 0
    for _ in range(500):
        y = true + of_seeds * rng.normal(size=(seeds, 1)) + of_faces * rng.normal(size=n)
        hits += crossed(y + rest * rng.normal(size=y.shape)).p < 0.05
    assert 0.7 < hits / 500 < most
