"""NewtonSVR against liblinear, a linear programme and answers by hand."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.base import clone
from sklearn.svm import LinearSVR

from occkd_lib.svr import NewtonSVR, newton_step


def objective(model, x, y, middle):
    """As scikit-learn states it; y less ``middle``, the intercept counts among the weights."""
    intercept = model.intercept_[0] - middle
    loss = np.maximum(np.abs(y - model.predict(x)) - model.epsilon, 0).sum()
    return (model.coef_ @ model.coef_ + intercept**2) / 2 + model.C * loss


def regression(n, d, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.2, 2, d)
    return x, 35 + x @ rng.normal(size=d) + 3 * rng.laplace(size=n)


@pytest.mark.parametrize(
    ("C", "epsilon", "slope"), [(1, 0, 2), (100, 0, 10), (100, 1, 9), (1, 9, 1)]
)
def test_two_faces_by_hand(C, epsilon, slope):
    """x = -1, 1 and y = 20, 40: |w|^2 / 2 + 2 C max(0, |10 - w| - epsilon)."""
    x, y = np.array([[-1.0], [1.0]]), np.array([20.0, 40.0])
    model = NewtonSVR(C=C, epsilon=epsilon, tol=1e-6).fit(x, y)
    assert model.coef_ == pytest.approx([slope], abs=0.02)
    assert model.predict(x) == pytest.approx([30 - slope, 30 + slope], abs=0.02)


@pytest.mark.parametrize(("n", "d"), [(200, 6), (30, 50)])
@pytest.mark.parametrize("epsilon", [0.0, 2.0])
@pytest.mark.parametrize("C", [0.001, 0.1, 1.0])
def test_same_optimum_as_liblinear(C, epsilon, n, d):
    x, y = regression(n, d)
    middle = np.median(y)
    exact = LinearSVR(C=C, epsilon=epsilon, tol=1e-9, max_iter=1_000_000, random_state=0)
    exact.fit(x, y - middle)
    exact.intercept_ = np.atleast_1d(exact.intercept_) + middle
    ours = NewtonSVR(C=C, epsilon=epsilon).fit(x, y)
    least = objective(exact, x, y, middle)
    assert ours.n_iter_ < ours.max_iter
    assert least * (1 - 1e-6) <= objective(ours, x, y, middle) <= least * 1.001
    close = NewtonSVR(C=C, epsilon=epsilon, tol=1e-8).fit(x, y)
    assert close.predict(x) == pytest.approx(exact.predict(x), abs=0.02)


def test_a_huge_c_is_the_regression_with_the_least_absolute_error():
    """By a linear programme: y = x w + plus - minus, least sum of plus and minus."""
    x, y = regression(60, 4)
    ones = np.column_stack([x, np.ones(60)])
    cost = np.r_[np.zeros(5), np.ones(120)]
    bounds = [(None, None)] * 5 + [(0, None)] * 120
    equations = np.column_stack([ones, np.eye(60), -np.eye(60)])
    least = linprog(cost, A_eq=equations, b_eq=y, bounds=bounds).fun
    model = NewtonSVR(C=1e6, tol=1e-5).fit(x, y)
    assert model.n_iter_ < model.max_iter
    assert np.abs(y - model.predict(x)).sum() == pytest.approx(least, rel=1e-4)


def test_steps_do_not_grow_with_c():
    x, y = regression(500, 20)
    steps = [NewtonSVR(C=C).fit(x, y).n_iter_ for C in (1e-4, 1e-2, 1, 100, 1e4, 1e6)]
    assert max(steps) < 60


def test_too_few_steps_are_not_called_converged():
    x, y = regression(100, 5)
    model = NewtonSVR(C=1, max_iter=3).fit(x, y)
    assert model.n_iter_ == 3 == model.max_iter


def test_targets_that_are_all_the_same():
    assert NewtonSVR().fit(np.ones((5, 2)), np.full(5, 7.0)).predict(np.ones((1, 2))) == [7]


def test_the_step_is_newtons_either_way():
    rng = np.random.default_rng(0)
    slope = rng.normal(size=7)
    for rows in (3, 7, 20, 0):
        curved = rng.normal(size=(rows, 7))
        by_hand = -np.linalg.inv(np.eye(7) + 2.5 * curved.T @ curved) @ slope
        assert newton_step(slope, curved, 2.5) == pytest.approx(by_hand)


def test_it_is_one_of_scikit_learns():
    model = clone(NewtonSVR(C=3, epsilon=0.5))
    assert isinstance(model, LinearSVR) and (model.C, model.epsilon) == (3, 0.5)
