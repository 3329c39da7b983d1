"""How good are predictions? Accuracy, weighted accuracy, mean absolute error, recall per class.

All take numpy arrays, tensors (any device) or sequences of N targets and N predictions, and raise
ValueError when these are empty or differ in shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Values = np.ndarray | Tensor | Sequence


def as_numpy(values: Values) -> np.ndarray:
    """The same values as a numpy array in host memory."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values  # unknown to numpy
    return np.asarray(values)


def checked(target: Values, prediction: Values) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one shape (N,), N > 0; ValueError otherwise."""
    t, p = as_numpy(target), as_numpy(prediction)
    if t.shape != p.shape or t.ndim != 1:
        raise ValueError(f"target {t.shape} and prediction {p.shape} must both have shape (N,)")
    if not len(t):
        raise ValueError("target and prediction are empty: there is nothing to measure")
    return t, p


def accuracy(target: Values, prediction: Values) -> float:
    """Fraction of correct predictions, 0..1."""
    t, p = checked(target, prediction)
    return float((t == p).mean())


def per_class_recall(target: Values, prediction: Values) -> dict[int, float]:
    """Class -> fraction of its faces that are recognised, 0..1; only classes present in target."""
    t, p = checked(target, prediction)
    return {int(c): float((p[t == c] == c).mean()) for c in np.unique(t)}


def weighted_accuracy(target: Values, prediction: Values) -> float:
    """Mean of the recalls of all classes present in target, 0..1 (journal, Sect. 4.2.3).

    Also known as balanced accuracy. Every class counts the same however rare, so this is *not* the
    recall weighted by class size, which would equal the plain accuracy.
    """
    return float(np.mean(list(per_class_recall(target, prediction).values())))


def mean_absolute_error(target: Values, prediction: Values) -> float:
    """Mean of |prediction - target|, in the target's unit (years)."""
    t, p = checked(target, prediction)
    return float(np.abs(p.astype(np.float64) - t).mean())


def correct(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What each face adds to an accuracy: 1.0 if it is recognised, else 0.0."""
    return (target == prediction).astype(np.float64)


def absolute_error(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What each face adds to a mean absolute error."""
    return np.abs(prediction.astype(np.float64) - target)


@dataclass(frozen=True)
class Metric:
    """A metric and how it is spoken of. ``metric(target, prediction)`` -> its value.

    heading: of a table's column, with the unit of a value. unit: of a difference. factor: from
    value to what is printed (fractions become per cent). by_class: the mean of class means, so
    that a bootstrap is drawn class by class. per_face: N, N -> what each face adds (every metric
    here is a mean of that, over faces or over classes). short: in a sentence.
    """

    name: str
    heading: str
    short: str
    unit: str
    factor: float
    higher_is_better: bool
    function: Callable[[Values, Values], float]
    per_face: Callable[[np.ndarray, np.ndarray], np.ndarray]
    by_class: bool = False

    def __call__(self, target: Values, prediction: Values) -> float:
        return self.function(target, prediction)

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.higher_is_better else -1

    @property
    def mark(self) -> str:
        """Behind a printed value: " %" or " years"."""
        return " %" if self.factor == 100 else f" {self.unit}"


ACCURACY = Metric(
    "accuracy", "accuracy, %", "accuracy", "points", 100, True, accuracy, correct,
)  # fmt: skip
WEIGHTED_ACCURACY = Metric(
    "weighted_accuracy", "weighted accuracy, %", "weighted accuracy", "points", 100, True,
    weighted_accuracy, correct, by_class=True,
)  # fmt: skip
MEAN_ABSOLUTE_ERROR = Metric(
    "mean_absolute_error", "mean absolute error, years", "MAE", "years", 1, False,
    mean_absolute_error, absolute_error,
)  # fmt: skip
METRICS = {m.name: m for m in (ACCURACY, WEIGHTED_ACCURACY, MEAN_ABSOLUTE_ERROR)}


def metric_of(metric: str | Metric) -> Metric:
    """The metric itself, or the one of that name; ValueError for a name there is not."""
    if isinstance(metric, Metric):
        return metric
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; one of {', '.join(METRICS)}")
    return METRICS[metric]
