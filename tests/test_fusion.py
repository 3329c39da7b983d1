import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.parallel import Parallel

from occkd_lib import fusion
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import accuracy
from occkd_lib.fusion import fit_fusion

GRID = (0.1, 1, 10, 100, 1000)


def clusters(n, classes, spread=0.1, seed=0, dim=6):
    """N x dim points around well separated corners, and their classes."""
    centers = np.random.default_rng(99).normal(size=(classes, dim)) * 2
    rng = np.random.default_rng(seed)
    target = np.arange(n) % classes
    return (centers[target] + spread * rng.normal(size=(n, dim))).astype(np.float32), target


def halves(x):
    """One table as the embeddings of two networks."""
    return [x[:, :2], torch.from_numpy(x[:, 2:])]


def test_separable_classes_are_all_found():
    train, y = clusters(160, 8)
    val, y_val = clusters(40, 8, seed=1)
    test, y_test = clusters(80, 8, seed=2)
    fitted = fit_fusion(halves(train), torch.from_numpy(y), halves(val), y_val, task="expression")
    assert accuracy(y_test, fitted.predict(halves(test))) == 1.0
    scores = fitted.scores(halves(test))
    assert scores.shape == (80, 8)
    assert (scores.argmax(1) == y_test).all()
    assert fitted.validation == dict.fromkeys(GRID, 1.0)
    assert fitted.C == 0.1, "equal on validation: the smallest"
    assert fitted.converged[0.1] and fitted.edge, "and a smaller one might do as well"


def test_gender_has_one_decision_value_per_face():
    train, y = clusters(60, 2)
    fitted = fit_fusion([train], y, [train], y, task="gender")
    scores = fitted.scores([train])
    assert scores.shape == (60, 1)
    assert ((scores[:, 0] > 0) == (y == 1)).all(), "positive means class 1, as for a logit"


def test_age_is_a_regression_with_epsilon_zero():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    years = 40 + x @ [8.0, -3.0, 1.0, 0.0]
    fitted = fit_fusion([x[:150]], years[:150], [x[150:]], years[150:], task="age")
    assert tuple(fitted.converged) == fusion.WIDE_GRID and all(fitted.converged.values())
    assert fitted.validation[fitted.C] == min(fitted.validation.values()) < 0.1
    assert fitted.model.epsilon == 0.0
    wide = fit_fusion([x[:150]], years[:150], None, None, task="age", C=(1,), epsilon=2.5)
    assert wide.model.epsilon == 2.5
    assert fitted.scores([x]).shape == (200, 1)
    assert (fitted.scores([x])[:, 0] == fitted.predict([x])).all()


def overlapping(n, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 20)) + 0.8 * np.eye(20)[target]
    return x, target


@pytest.mark.parametrize("favourite", [1.0, 1000.0])
def test_c_is_chosen_by_what_validation_says(favourite):
    x, y = overlapping(80, 0)
    val, _ = overlapping(400, 1)
    options = {"dual": False, "tol": fusion.TOLERANCE, "max_iter": fusion.MAX_ITERATIONS}
    loop = {c: LinearSVC(C=c, random_state=0, **options).fit(x, y) for c in (0.01, 1.0, 1000.0)}
    y_val = loop[favourite].predict(val)  # so that this C, and no other, is perfect
    fitted = fit_fusion([x], y, [val], y_val, task="expression", C=(1000.0, 0.01, 1.0))
    assert favourite == fitted.C
    assert fitted.validation == {c: accuracy(y_val, m.predict(val)) for c, m in loop.items()}
    assert np.array_equal(fitted.model.coef_, loop[favourite].coef_), "fitted on train only"


def test_standardisation_is_learnt_on_train():
    x, y = overlapping(80, 0)
    val, y_val = overlapping(40, 1)
    x, val = 100 + 50 * x, 7 * val
    fitted = fit_fusion([x], y, [val], y_val, task="expression", C=(1,), standardize=True)
    assert fitted.scaler.mean_ == pytest.approx(x.mean(0))
    by_hand = LinearSVC(C=1, dual=False, tol=fusion.TOLERANCE, random_state=0)
    by_hand.fit((x - x.mean(0)) / x.std(0), y)
    assert (fitted.predict([val]) == by_hand.predict((val - x.mean(0)) / x.std(0))).all()


def hard_regression(n, seed, noise):
    """Years from 30 features, most of which hardly vary without the others: large C's are best."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 30)) * np.geomspace(1, 0.003, 30)
    x = hidden @ np.linalg.qr(np.random.default_rng(7).normal(size=(30, 30)))[0]
    years = 35 + hidden @ (5 / np.geomspace(1, 0.003, 30) ** 0.5)
    return x, years + noise * rng.laplace(size=n)


def test_an_svr_converges_where_liblinear_does_not():
    x, years = hard_regression(400, 0, 2.0)
    val, years_val = hard_regression(400, 1, 2.0)
    fitted = fit_fusion([x], years, [val], years_val, task="age")
    before = LinearSVR(C=fitted.C, tol=1e-3, max_iter=1000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        before.fit(x, years)
    assert before.n_iter_ == 1000, "as it was: not converged"
    assert fitted.C == 1000 and all(fitted.converged.values()) and not fitted.edge
    error = np.abs(before.predict(val) - years_val).mean()
    assert fitted.validation[fitted.C] < 0.9 * error


def stopping(monkeypatch, least, most):
    """SVRs that converge for C's between ``least`` and ``most`` only."""
    right = fusion.NewtonSVR.fit

    def fit(self, x, y):
        right(self, x, y)
        self.n_iter_ = 1 if least <= self.C <= most else self.max_iter
        return self

    monkeypatch.setattr(fusion.NewtonSVR, "fit", fit)


def test_only_fits_that_converged_are_chosen(monkeypatch):
    x, years = hard_regression(200, 0, 0.0)  # without noise: the larger C, the better
    grid = (0.1, 1.0, 10.0, 100.0)
    best = fit_fusion([x], years, [x], years, task="age", C=grid)
    assert best.C == 100.0 and best.edge
    stopping(monkeypatch, 0, 10)
    fitted = fit_fusion([x], years, [x], years, task="age", C=grid)
    assert fitted.C == 10.0 and fitted.edge, "beyond it nothing converged"
    assert fitted.converged == {0.1: True, 1.0: True, 10.0: True, 100.0: False}
    assert fitted.validation[100.0] < fitted.validation[10.0]
    assert not fit_fusion([x], years, None, None, task="age", C=(1,)).edge, "no grid, no edge"


def test_nothing_unconverged_is_reported(monkeypatch):
    stopping(monkeypatch, 7, 8)
    x, years = hard_regression(50, 0, 0.0)
    message = "no SVR on 30 features of 50 faces converged, for C = 0.1, 1000: give smaller values"
    with pytest.raises(OcckdError, match=message):
        fit_fusion([x], years, [x], years, task="age", C=(1000, 0.1))
    with pytest.raises(OcckdError, match="no SVR"):
        fit_fusion([x], years, None, None, task="age", C=(1,))


def test_class_machines_say_whether_they_converged(monkeypatch):
    monkeypatch.setattr(fusion, "MAX_ITERATIONS", 2)
    x, y = overlapping(80, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_fusion([x], y, [x], y, task="expression", C=(1e-9, 1000))
    assert fitted.converged == {1e-9: True, 1000.0: False} and fitted.C == 1e-9


def test_classes_without_training_faces_get_no_score():
    train, y = clusters(40, 8)
    few = y < 3
    parts, classes = [train[few]], y[few]
    fitted = fit_fusion(parts, classes, parts, classes, task="expression", C=(1,), outputs=8)
    scores = fitted.scores([train])
    assert scores.shape == (40, 8)
    assert np.isneginf(scores[:, 3:]).all() and np.isfinite(scores[:, :3]).all()
    fitted = fit_fusion(parts, classes, [train], y, task="expression", C=(1,))
    assert fitted.scores([train]).shape == (40, 8), "the largest class is one of validation"
    two = (y == 2) | (y == 5)
    fitted = fit_fusion([train[two]], y[two], [train[two]], y[two], task="expression", C=(1,))
    assert fitted.scores([train]).shape == (40, 6)
    assert (fitted.scores([train[two]]).argmax(1) == y[two]).all()


def test_fitting_in_parallel_changes_nothing(monkeypatch):
    x, y = overlapping(200, 0)
    val, y_val = overlapping(100, 1)
    serial = fit_fusion([x], y, [val], y_val, task="expression")
    monkeypatch.setattr(fusion, "WORTH_SHARING", 0)
    monkeypatch.setattr(fusion.joblib, "cpu_count", lambda: 2)
    parallel = fit_fusion([x], y, [val], y_val, task="expression")
    assert parallel.validation == serial.validation
    assert np.array_equal(parallel.model.coef_, serial.model.coef_)


@pytest.mark.parametrize(
    ("task", "faces", "where"),
    [("expression", 30, "threads"), ("expression", 19, "processes"), ("age", 19, "threads")],
)
def test_solvers_that_share_a_random_generator_are_kept_apart(monkeypatch, task, faces, where):
    seen = {}

    def pool(n_jobs, prefer):
        seen.update(n_jobs=n_jobs, prefer=prefer)
        return Parallel(n_jobs=1)

    monkeypatch.setattr(fusion, "Parallel", pool)
    x, y = overlapping(faces, 0)  # of 20 features
    fit_fusion([x], y, [x], y, task=task, C=(1,))
    assert seen == {"n_jobs": 1, "prefer": where}


def test_bad_requests_are_errors():
    x, y = overlapping(30, 0)
    with pytest.raises(ValueError, match="unknown task 'sex'; one of expression"):
        fit_fusion([x], y, [x], y, task="sex")
    with pytest.raises(ValueError, match="one common N"):
        fit_fusion([x, x[:-1]], y, [x], y, task="expression")
    with pytest.raises(ValueError, match="one common N, not none"):
        fit_fusion([], y, [x], y, task="expression")
    with pytest.raises(ValueError, match="30 training embeddings, but 29 targets"):
        fit_fusion([x], y[:-1], [x], y, task="expression")
    with pytest.raises(ValueError, match="positive"):
        fit_fusion([x], y, [x], y, task="expression", C=())
