import warnings

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC
from sklearn.utils.parallel import Parallel

from occkd_lib import fusion
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
    assert fitted.converged[0.1]


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


def test_a_fit_that_ran_out_of_steps_is_recorded(monkeypatch):
    monkeypatch.setattr(fusion, "MAX_ITERATIONS", 20)
    rng = np.random.default_rng(0)
    x, years = 30 * rng.normal(size=(120, 40)), rng.uniform(1, 90, 120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_fusion([x], years, [x], years, task="age", C=(1e-9, 1000))
    assert fitted.converged == {1e-9: True, 1000.0: False}


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
    [("expression", 30, "threads"), ("expression", 19, "processes"), ("age", 30, "processes")],
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
