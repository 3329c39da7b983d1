"""Metrics (of ``occkd_lib.tasks``) and tests of significance."""

from occkd_lib.evaluation.crossed import (
    OverSeeds,
    compare_over_faces,
    compare_over_seeds,
    crossed,
    score_over_seeds,
)
from occkd_lib.evaluation.significance import (
    Bootstrap,
    Interval,
    McNemar,
    counts_right,
    holm,
    interval,
    mcnemar_test,
    over_seeds,
    paired_bootstrap,
)
from occkd_lib.tasks.metrics import (
    METRICS,
    accuracy,
    mean_absolute_error,
    per_class_recall,
    weighted_accuracy,
)

__all__ = [
    "METRICS", "Bootstrap", "Interval", "McNemar", "OverSeeds", "accuracy", "compare_over_faces",
    "compare_over_seeds", "counts_right", "crossed", "holm", "interval", "mcnemar_test",
    "mean_absolute_error", "over_seeds", "paired_bootstrap", "per_class_recall",
    "score_over_seeds", "weighted_accuracy",
]  # fmt: skip
