"""What every stage leaves behind for evaluation: predictions.parquet and metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from occkd_lib.data import FaceSet
from occkd_lib.project import write_json
from occkd_lib.runs import Run
from occkd_lib.tasks import Task
from occkd_lib.tasks.metrics import accuracy

NETWORK = ""  # the row of a stage's network itself; a fusion has several rows, with names


def prediction_table(
    faces: FaceSet, view: str, row: str, prediction: np.ndarray, scores: np.ndarray
) -> pd.DataFrame:
    """One row a face.

    prediction: N, class index or years. scores: N x K. Columns: data, split, view, row, id, target,
    prediction, duplicate_of_train, near_copy_of_train, score_0 ... score_{K-1}.
    """
    table = pd.DataFrame(
        {
            "data": faces.name,
            "split": faces.splits,
            "view": view,
            "row": row,
            "id": faces.ids,
            "target": faces.targets.numpy(),
            "prediction": prediction,
            "duplicate_of_train": faces.duplicate_of_train,
            "near_copy_of_train": faces.near_copy_of_train,
        }
    )
    for k, column in enumerate(scores.astype(np.float32).T):
        table[f"score_{k}"] = column
    return table


COARSE_TARGET, COARSE_PREDICTION = "coarse_target", "coarse_prediction"


def save_predictions(run: Run, tables: list[pd.DataFrame], task: Task) -> None:
    """Write the predictions and, in metrics.json, one entry a (row, data set, view, split)."""
    table = pd.concat(tables, ignore_index=True)
    metrics: list[dict[str, Any]] = []
    for key, rows in table.groupby(["row", "data", "view", "split"]):
        target, prediction = rows["target"].to_numpy(), rows["prediction"].to_numpy()
        values = {m.name: m(target, prediction) for m in task.metrics}
        if COARSE_PREDICTION in rows:
            coarse = (rows[name].to_numpy() for name in (COARSE_TARGET, COARSE_PREDICTION))
            values["coarse_accuracy"] = accuracy(*coarse)
        named = dict(zip(("row", "data", "view", "split"), map(str, key), strict=True))
        metrics.append({**named, "n": len(rows), **values})
    run.save_table("predictions.parquet", table)
    write_json(run.folder / "metrics.json", metrics)
