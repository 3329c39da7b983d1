"""What every stage leaves behind for evaluation: predictions.parquet and metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from occkd_lib.data import FaceSet
from occkd_lib.evaluation import METRICS
from occkd_lib.project import write_json
from occkd_lib.runs import Run
from occkd_lib.tasks import TaskSpec


def prediction_table(
    faces: FaceSet, visible: str, method: str, prediction: np.ndarray, scores: np.ndarray
) -> pd.DataFrame:
    """One row a face.

    prediction: N, class index or years. scores: N x K. Columns: id, split, visible, target,
    prediction, duplicate_of_train, method, score_0 ... score_{K-1}.
    """
    table = pd.DataFrame(
        {
            "id": faces.ids,
            "split": faces.splits,
            "visible": visible,
            "target": faces.targets.numpy(),
            "prediction": prediction,
            "duplicate_of_train": faces.duplicate_of_train,
            "method": method,
        }
    )
    for k, column in enumerate(scores.astype(np.float32).T):
        table[f"score_{k}"] = column
    return table


def save_predictions(run: Run, tables: list[pd.DataFrame], task: TaskSpec) -> None:
    """Write the predictions and, in metrics.json, {method: {visible: {split: {metric: value}}}}."""
    names = [task.metric]
    if task.name == "expression":
        names.append("weighted_accuracy")
    table = pd.concat(tables, ignore_index=True)
    metrics: dict[str, Any] = {}
    for key, rows in table.groupby(["method", "visible", "split"]):
        method, visible, split = map(str, key)
        target, prediction = rows["target"].to_numpy(), rows["prediction"].to_numpy()
        values = {name: float(METRICS[name](target, prediction)) for name in names}
        metrics.setdefault(method, {}).setdefault(visible, {})[split] = values
    run.save_table("predictions.parquet", table)
    write_json(run.folder / "metrics.json", metrics)
