import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from statsmodels.stats.multitest import multipletests

from occkd_lib.evaluation import (
    METRICS,
    counts_right,
    holm,
    interval,
    mcnemar_test,
    over_seeds,
    paired_bootstrap,
    significance,
    weighted_accuracy,
)


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


def faces(n=60, seed=0):
    """Unbalanced classes, two classifiers of different quality."""
    rng = np.random.default_rng(seed)
    target = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    a = np.where(rng.random(n) < 0.8, target, (target + 1) % 3)
    b = np.where(rng.random(n) < 0.6, target, (target + 1) % 3)
    return target, a, b


# --- McNemar ----------------------------------------------------------------------------------


def test_mcnemar_published_example():
    test = mcnemar_test(*answers(2000, 150, 190, 797))
    assert (test.only_a, test.only_b, test.n) == (150, 190, 3137)
    assert test.p == pytest.approx(0.03427, abs=5e-6)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [(0, 5, 2 / 32), (5, 0, 2 / 32), (1, 3, 10 / 16), (4, 4, 1), (0, 0, 1)],
)
def test_mcnemar_by_hand(only_a, only_b, p):
    a, b = answers(7, only_a, only_b, 2)
    assert mcnemar_test(a, b).p == pytest.approx(p)
    assert mcnemar_test(torch.tensor(a), b.astype(int)).p == pytest.approx(p)


def test_mcnemar_wants_right_or_wrong_not_classes():
    with pytest.raises(ValueError, match="booleans"):
        mcnemar_test(np.array([0, 3, 7]), np.array([0, 3, 6]))
    with pytest.raises(ValueError, match="shape"):
        mcnemar_test([True, False], [True])


# --- paired bootstrap -------------------------------------------------------------------------


def naive(target, a, b, metric, draws, stratified):
    """The textbook loop: draw faces, measure both, subtract."""
    rng, score = np.random.default_rng(7), METRICS[metric]
    groups = [np.flatnonzero(target == c) for c in np.unique(target)]
    sample = []
    for _ in range(draws):
        if stratified:
            index = np.concatenate([rng.choice(g, len(g)) for g in groups])
        else:
            index = rng.integers(len(target), size=len(target))
        sample.append(score(target[index], a[index]) - score(target[index], b[index]))
    return np.array(sample)


@pytest.mark.parametrize(
    ("metric", "stratified"),
    [
        ("accuracy", False),
        ("accuracy", True),
        ("weighted_accuracy", False),
        ("weighted_accuracy", True),
        ("mean_absolute_error", False),
    ],
)
def test_bootstrap_has_the_distribution_of_the_naive_loop(metric, stratified):
    target, a, b = faces()
    expected = naive(target, a, b, metric, 2_000, stratified)
    known = METRICS[metric]
    values = significance.per_face(target, a, known) - significance.per_face(target, b, known)
    sample = significance.resample(
        values, target, known, draws=20_000, seed=0, stratified=stratified
    )
    error = expected.std() / np.sqrt(len(expected))
    assert sample.mean() == pytest.approx(expected.mean(), abs=4 * error)
    assert sample.std() == pytest.approx(expected.std(), rel=0.08)
    for q in (2.5, 25, 75, 97.5):
        assert np.percentile(sample, q) == pytest.approx(np.percentile(expected, q), abs=0.03)


def test_a_rare_class_may_be_missing_from_an_unstratified_draw():
    target, a = np.array([0] * 9 + [1]), np.array([0] * 9 + [0])
    b = np.array([1] * 10)  # a: recalls 1, 0; b: recalls 0, 1
    metric = METRICS["weighted_accuracy"]
    values = significance.per_face(target, a, metric) - significance.per_face(target, b, metric)
    sample = significance.resample(values, target, metric, draws=20_000, seed=0, stratified=False)
    absent = 0.9**10  # then only class 0 is measured: difference 1; else (1 - 1) / 2 = 0
    assert set(sample.round(9)) <= {-1.0, 0.0, 1.0}
    assert (sample == 1).mean() == pytest.approx(absent, abs=0.015)


def test_metrics_by_class_are_drawn_class_by_class_unless_told_otherwise():
    target, a, b = faces()
    plain = paired_bootstrap(target, a, b, "weighted_accuracy")
    assert plain == paired_bootstrap(target, a, b, "weighted_accuracy", stratified=True)
    assert plain != paired_bootstrap(target, a, b, "weighted_accuracy", stratified=False)
    plain = paired_bootstrap(target, a, b, "accuracy")
    assert plain == paired_bootstrap(target, a, b, "accuracy", stratified=False)


def test_bootstrap_by_hand():
    # one of two faces is better with a: the mean of two draws from {1, 0} is 0, 1/2, 1
    result = paired_bootstrap([0, 0], [0, 1], [1, 1], METRICS["accuracy"], draws=20_000)
    assert (result.difference, result.low, result.high) == (0.5, 0.0, 1.0)
    assert result.p == pytest.approx(2 * 0.25, abs=0.02)


def test_bootstrap_of_years_agrees_with_the_standard_error():
    rng = np.random.default_rng(3)
    target = rng.integers(1, 90, 400)
    a, b = target + rng.normal(0, 8, 400), target + rng.normal(0, 9, 400)
    result = paired_bootstrap(target, a, b, "mean_absolute_error")
    difference = np.abs(a - target) - np.abs(b - target)
    half = 1.96 * difference.std() / np.sqrt(400)
    assert result.difference == pytest.approx(difference.mean())
    assert result.low == pytest.approx(difference.mean() - half, abs=0.1 * half)
    assert result.high == pytest.approx(difference.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_methods_do_not_differ(metric):
    target, a, _ = faces()
    result = paired_bootstrap(target, [a, a, a], a, metric, draws=500)
    assert (result.difference, result.low, result.high, result.p) == (0, 0, 0, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_swapping_the_methods_turns_the_sign(metric):
    target, a, b = faces(200)
    forth = paired_bootstrap(target, a, b, metric)
    back = paired_bootstrap(target, b, a, metric)
    assert back.difference == pytest.approx(-forth.difference)
    assert back.low == pytest.approx(-forth.high, abs=0.02)
    assert back.p == pytest.approx(forth.p, rel=0.5, abs=0.01)


@pytest.mark.parametrize("metric", METRICS)
def test_seeds_are_averaged_before_the_faces_are_drawn(metric):
    target, a, b = faces(100)
    _, c, d = faces(100, seed=5)
    c, d = np.where(c == target, c, (target + 2) % 3), d
    result = paired_bootstrap(target, [a, c, d], [b, d], metric, draws=2_000)
    score = METRICS[metric]
    expected = np.mean([score(target, p) for p in (a, c, d)])
    expected -= np.mean([score(target, p) for p in (b, d)])
    assert result.difference == pytest.approx(expected)
    stacked = paired_bootstrap(target, np.stack([a, c, d]), np.stack([b, d]), metric, draws=2_000)
    assert stacked == result
    single = paired_bootstrap(target, a, b, metric, draws=2_000)
    assert paired_bootstrap(target, [a, a], [b, b], metric, draws=2_000) == single


def test_seed_decides_chunks_do_not(monkeypatch):
    target, a, b = faces(50)
    first = paired_bootstrap(target, a, b, "mean_absolute_error", draws=301, seed=4)
    monkeypatch.setattr(significance, "CHUNK", 170)
    assert paired_bootstrap(target, a, b, "mean_absolute_error", draws=301, seed=4) == first
    assert paired_bootstrap(target, a, b, "mean_absolute_error", draws=301, seed=5) != first


@pytest.mark.parametrize("metric", METRICS)
def test_ten_thousand_draws_of_a_whole_test_set_take_about_a_second(metric):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 8, 4_740)
    a, b = (target + rng.integers(0, 3, 4_740) for _ in range(2))
    begun = time.process_time()
    paired_bootstrap(target, a, b, metric, draws=10_000)
    assert time.process_time() - begun < 2


def test_bad_requests_are_errors():
    target, a, b = faces()
    with pytest.raises(ValueError, match="unknown metric 'f1'; one of accuracy"):
        paired_bootstrap(target, a, b, "f1")
    with pytest.raises(ValueError, match="classes, not years"):
        paired_bootstrap(target, a, b, "mean_absolute_error", stratified=True)
    with pytest.raises(ValueError, match="shape"):
        paired_bootstrap(target, a[:-1], b, "accuracy")
    with pytest.raises(ValueError, match="shape"):
        paired_bootstrap(target, [], b, "accuracy")


def test_a_metric_of_one_s_own_is_resampled_by_what_it_says_of_itself():
    """Squared years: neither counted nor by class, so drawn face by face."""
    rng = np.random.default_rng(0)
    target, a = rng.normal(40, 10, 50), rng.normal(40, 10, 50)
    squared = replace(
        METRICS["mean_absolute_error"],
        name="mean_squared_error",
        function=lambda t, p: float(((p - t) ** 2).mean()),
        per_face=lambda t, p: (p - t) ** 2,
    )
    found = interval(target, a, squared, draws=4_000)
    assert found.value == pytest.approx(squared(target, a))
    error = ((a - target) ** 2).std() / np.sqrt(50)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    with pytest.raises(ValueError, match="classes, not years"):
        interval(target, a, replace(squared, by_class=True))


def test_which_metrics_have_exact_tests():
    assert [name for name, metric in METRICS.items() if counts_right(metric)] == ["accuracy"]


# --- intervals, Holm --------------------------------------------------------------------------


def test_wilson_interval_by_hand():
    target, prediction = np.zeros(10, int), np.repeat([0, 1], [8, 2])
    z2 = 1.959964**2
    centre = (0.8 + z2 / 20) / (1 + z2 / 10)
    half = np.sqrt(z2) * np.sqrt(0.8 * 0.2 / 10 + z2 / 400) / (1 + z2 / 10)
    result = interval(target, prediction, "accuracy")
    assert result.value == 0.8
    assert (result.low, result.high) == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_half_width_on_ferplus():
    right = np.repeat([0, 1], [2_572, 565])  # 82 % of 3,137
    result = interval(np.zeros(3_137, int), right, "accuracy")
    assert (result.high - result.low) / 2 == pytest.approx(0.0134, abs=1e-4)


def test_bootstrap_interval_of_several_seeds_is_of_their_mean():
    target, a, b = faces(300)
    result = interval(target, [a, b], METRICS["weighted_accuracy"])
    expected = (weighted_accuracy(target, a) + weighted_accuracy(target, b)) / 2
    assert result.value == pytest.approx(expected)
    assert result.low < result.value < result.high
    one, two = interval(target, a, "accuracy"), interval(target, [a, a], "accuracy")
    assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=0.01)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    with_gap = holm([0.01, np.nan, 0.04, 0.03])
    assert with_gap[[0, 2, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(with_gap[1])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def test_holm_agrees_with_statsmodels():
    p = np.random.default_rng(0).beta(0.3, 2, size=18)
    p[3] = p[7]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_over_seeds_by_hand():
    """Mean 2, SD 1, three seeds: Student's 97.5 % point with two degrees of freedom is 4.3027."""
    found = over_seeds([1.0, 2.0, 3.0])
    reach = 4.302653 / 3**0.5
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - reach, 2 + reach))
    assert np.isnan(over_seeds([1.0]).low)
