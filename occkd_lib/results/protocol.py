"""How the numbers were made: faces, splits, and every run's code, device and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.results.choices import choice
from occkd_lib.results.store import COARSE_ANSWERS, COPIES, Answers, Store
from occkd_lib.runs import environment


def protocol(store: Store) -> dict[str, Any]:
    """Recipe, faces, splits, and what every finished run says of itself; JSON-able."""
    experiments = {}
    for name, experiment in store.recipe.experiments.items():
        runs = {key: run.status or {} for key, run in store.runs(name).items()}
        if not runs:
            continue
        first = next(iter(runs.values()))
        test = [answers.faces for answers in store.answers(name)[:1]]
        experiments[name] = {
            "data": experiment.data.model_dump(mode="json"),
            "label_rule": getattr(experiment.data, "labels", None),
            "faces_fingerprint": first["config"].get("faces"),
            "n": first.get("n"),
            "test_faces_that_duplicate_train": sum(int(faces[COPIES[0]].sum()) for faces in test),
            "test_faces_that_nearly_copy_train": sum(int(faces[COPIES[1]].sum()) for faces in test),
            "choices": {stage: choice(store, name, stage) for stage in tuned(experiment)},
            "runs": {
                f"seed{seed}/{stage}": {k: v for k, v in status.items() if k != "config"}
                for (seed, stage), status in runs.items()
            },
        }
    return {
        "recipe": store.recipe.model_dump(mode="json"),
        "report": environment(),
        "experiments": experiments,
    }


def tuned(experiment: Experiment) -> list[str]:
    """The stages that were chosen among arms."""
    return [stage for stage in experiment.stages if experiment.tuned_arms(stage)]


def stage_table(store: Store) -> pd.DataFrame:
    """One row per experiment and finished stage, all its seeds together.

    Columns: experiment, stage, epochs, lr (of the run), device, seeds, selected (mean epoch kept,
    from 1), minutes (all seeds).
    """
    rows = []
    for name in store.recipe.experiments:
        for (seed, stage), run in store.runs(name).items():
            status = run.status or {}
            settings = status["config"]["settings"]
            rows.append(
                {
                    "experiment": name,
                    "stage": stage,
                    "seeds": seed,
                    "epochs": settings.get("epochs", ""),  # a fusion has none
                    "lr": settings.get("lr", ""),
                    "selected": 1 + status.get("selected_epoch", np.nan),
                    "minutes": status["wall_seconds"] / 60,
                    "device": status["environment"]["device"],
                }
            )
    keys = ["experiment", "stage", "epochs", "lr", "device"]
    how = {"seeds": "count", "selected": "mean", "minutes": "sum"}
    table = pd.DataFrame(rows, columns=[*keys, *how])
    return table.groupby(keys, sort=False).agg(how).round(2).reset_index()


def every_prediction(answers: Sequence[Answers]) -> pd.DataFrame:
    """One row per (face, seed, row, view): seed, row, train_faces, test_faces, id, target,
    prediction (years to hundredths), duplicate_of_train, near_copy_of_train; with networks that
    have a coarse stream also COARSE_ANSWERS, missing where a network has none."""
    parts = [
        found.faces.assign(
            seed=seed,
            prediction=brief(prediction),
            **found.place,
            **{c: values.astype("Int8") for c, values in found.coarse.get(seed, {}).items()},
        )
        for found in answers
        for seed, prediction in found.predictions.items()
    ]
    columns = [
        "seed", "row", "train_faces", "test_faces", "id", "target", "prediction", *COPIES,
        *(COARSE_ANSWERS if any(found.coarse for found in answers) else ()),
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[columns]


def brief(prediction: np.ndarray) -> np.ndarray:
    """Classes as they are; years rounded, which makes their file a third as large."""
    whole = np.issubdtype(prediction.dtype, np.integer)
    return prediction if whole else prediction.round(2).astype(np.float32)
