import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from occkd_lib.evaluation import (
    METRICS,
    accuracy,
    mean_absolute_error,
    per_class_recall,
    weighted_accuracy,
)
from occkd_lib.tasks import TASKS

TARGET = [0, 0, 0, 1, 1, 2]
PREDICTION = [0, 0, 1, 1, 0, 2]


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_classes_by_hand(kind):
    target, prediction = kind(TARGET), kind(PREDICTION)
    assert accuracy(target, prediction) == pytest.approx(4 / 6)
    assert per_class_recall(target, prediction) == pytest.approx({0: 2 / 3, 1: 1 / 2, 2: 1})
    assert weighted_accuracy(target, prediction) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_a_class_that_is_only_predicted_has_no_recall():
    assert per_class_recall([0, 0, 3], [0, 7, 3]) == {0: 0.5, 3: 1.0}
    assert weighted_accuracy([0, 0, 3], [0, 7, 3]) == pytest.approx(0.75)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_weighted_accuracy_is_balanced_accuracy_not_the_support_weighted_recall():
    rng = np.random.default_rng(0)
    target = rng.choice(8, 500, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.02, 0.02, 0.01])
    prediction = np.where(rng.random(500) < 0.6, target, 0)
    expected = balanced_accuracy_score(target, prediction)
    assert weighted_accuracy(target, prediction) == pytest.approx(expected)
    assert abs(weighted_accuracy(target, prediction) - accuracy(target, prediction)) > 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_mean_absolute_error_by_hand(dtype):
    years = torch.tensor([30.0, 1.0, 64.0], requires_grad=True).to(dtype)
    assert mean_absolute_error(torch.tensor([25, 1, 66]), years) == pytest.approx(7 / 3)


def test_unsigned_targets_do_not_wrap_around():
    assert mean_absolute_error(np.array([5], np.uint8), np.array([3], np.uint8)) == 2.0


def test_a_diverged_network_shows():
    assert np.isnan(mean_absolute_error([30.0, 40.0], [30.0, np.nan]))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        ([], [], "empty"),
        ([0, 1], [0], "shape"),
        ([[0], [1]], [[0], [1]], "shape"),
        ([0, 1], [[0, 1]], "shape"),
    ],
)
def test_bad_shapes_are_errors(name, target, prediction, message):
    with pytest.raises(ValueError, match=message):
        METRICS[name](target, prediction)


def test_every_task_reports_known_metrics():
    for task in TASKS.values():
        assert all(METRICS[metric.name] is metric for metric in task.metrics)
