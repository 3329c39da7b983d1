"""How good are predictions? Accuracy, weighted accuracy, mean absolute error, recall per class.

All take numpy arrays, tensors (any device) or sequences of N targets and N predictions, and raise
ValueError when these are empty or differ in shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


METRICS: dict[str, Callable[[Values, Values], float]] = {
    "accuracy": accuracy,
    "weighted_accuracy": weighted_accuracy,
    "mean_absolute_error": mean_absolute_error,
}
