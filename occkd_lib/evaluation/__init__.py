"""Metrics and tests of significance."""

from occkd_lib.evaluation.metrics import (
    METRICS,
    accuracy,
    mean_absolute_error,
    per_class_recall,
    weighted_accuracy,
)
from occkd_lib.evaluation.significance import (
    Bootstrap,
    Interval,
    McNemar,
    holm,
    interval,
    mcnemar_test,
    over_seeds,
    paired_bootstrap,
)

__all__ = [
    "METRICS",
    "Bootstrap",
    "Interval",
    "McNemar",
    "accuracy",
    "holm",
    "interval",
    "mcnemar_test",
    "mean_absolute_error",
    "over_seeds",
    "paired_bootstrap",
    "per_class_recall",
    "weighted_accuracy",
]
