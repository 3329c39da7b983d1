"""What the finished runs of a recipe predicted: the only source of every number in the report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment, Recipe, stage_settings, tuned_arms
from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root
from occkd_lib.runs import Run, differences, run_folder

STAGES = ("teacher", "student_lower", "student_upper", "control", "standard", "triplet", "fusion")


class Method(NamedTuple):
    """A row of the tables. ``{half}`` stands for the experiment's visible half.

    published: its name in the papers' tables, None if it is not in them. control: the method that
    had the same training but no teacher.
    """

    title: str
    train: str
    published: str | None
    control: str | None


METHODS = {
    "teacher": Method("teacher", "full", "teacher", None),
    "student_lower": Method("student, lower half", "lower", "student_no_distillation", None),
    "student_upper": Method("student, upper half", "upper", "student_no_distillation", None),
    "control": Method("control: as long, no teacher", "{half}", None, None),
    "standard": Method("standard T-S", "full+{half}", "standard_TS", "control"),
    "triplet": Method("triplet T-S", "full+{half}", "triplet_TS", "control"),
    "control_svm": Method("control, SVM", "{half}", None, "control"),
    "standard_svm": Method("standard T-S, SVM", "full+{half}", "standard_TS+SVM", "control_svm"),
    "triplet_svm": Method("triplet T-S, SVM", "full+{half}", "triplet_TS+SVM", "control_svm"),
    "standard+triplet": Method(
        "standard + triplet T-S, SVM", "full+{half}", "triplet+standard_TS", "control_svm"
    ),
}


def title(method: str, *, years: bool) -> str:
    """What the tables call a method; an SVM that predicts years is an SVR."""
    return METHODS[method].title.replace("SVM", "SVR" if years else "SVM")


@dataclass(frozen=True)
class Evidence:
    """Predictions of one method on one view of one split.

    ids, target, duplicate (of a training face): N. predictions: seed -> N.
    """

    experiment: str
    method: str
    train_faces: str
    test_faces: str
    split: str
    ids: np.ndarray
    target: np.ndarray
    duplicate: np.ndarray
    predictions: dict[int, np.ndarray]


def seeds_of(recipe: Recipe, experiment: str) -> list[int]:
    """Seeds with a folder, in order; ``occkd run`` may have been given others than the recipe's."""
    folder = outputs_root() / recipe.name / experiment
    names = [path.name for path in folder.glob("seed*")]
    return sorted(int(name[4:]) for name in names if re.fullmatch(r"seed\d+", name))


def finished_runs(recipe: Recipe, experiment: str) -> dict[tuple[int, str], Run]:
    """(seed, stage) -> finished run. OcckdError for a run made by other settings than these."""
    runs = {}
    for seed in seeds_of(recipe, experiment):
        for stage in STAGES:
            run = Run(run_folder(recipe.name, experiment, seed, stage))
            if run.done:
                check_settings(run, recipe.experiments[experiment], stage)
                runs[seed, stage] = run
    return runs


def check_settings(run: Run, experiment: Experiment, stage: str) -> None:
    """Raise OcckdError when the run's protocol differs from what the recipe says now."""
    config = (run.status or {})["config"]
    shared = experiment.model_dump(mode="json")
    wrong = []
    for name in tuned_arms(experiment, stage) or (stage,):
        settings = stage_settings(experiment, name).model_dump(mode="json", exclude={"tune"})
        wanted = {**shared, "settings": settings}
        keys = sorted(wanted.keys() & config.keys())
        wrong = differences({k: config[k] for k in keys}, {k: wanted[k] for k in keys})
        if not wrong:
            return
    raise OcckdError(
        f"{run.folder} was made by another version of the recipe ({'; '.join(wrong[:3])}): "
        "restore the recipe, or delete that folder and run it again"
    )


def gather(recipe: Recipe, experiment: str) -> list[Evidence]:
    """All that the experiment's finished runs predicted, in the order of METHODS.

    Raises OcckdError when runs that are to be compared saw different faces.
    """
    half = recipe.experiment(experiment).visible
    found: dict[tuple[str, str, str], dict[int, pd.DataFrame]] = {}
    faces: dict[str, tuple[Path, pd.DataFrame]] = {}  # split -> first file, its faces
    for (seed, _), run in finished_runs(recipe, experiment).items():
        path = run.folder / "predictions.parquet"
        for key, rows in run.predictions.groupby(["method", "visible", "split"], sort=False):
            method, _, split = key
            if method not in METHODS:
                raise OcckdError(f"{path}: unknown method {method!r}; known: {', '.join(METHODS)}")
            rows = rows.sort_values("id", kind="stable").reset_index(drop=True)
            here = rows[["id", "target", "duplicate_of_train"]]
            first, known = faces.setdefault(split, (path, here))
            if not here.equals(known):
                raise OcckdError(
                    f"{path} and {first} hold different {split} faces: "
                    "delete the older one's folder and run it again"
                )
            found.setdefault(key, {})[seed] = rows

    order = list(METHODS)
    result = []
    for (method, visible, split), tables in sorted(
        found.items(), key=lambda item: (order.index(item[0][0]), item[0][1:])
    ):
        known = faces[split][1]
        predictions = {seed: rows["prediction"].to_numpy() for seed, rows in tables.items()}
        result.append(
            Evidence(
                experiment=experiment,
                method=method,
                train_faces=METHODS[method].train.format(half=half),
                test_faces=visible,
                split=split,
                ids=known["id"].to_numpy(),
                target=known["target"].to_numpy(),
                duplicate=known["duplicate_of_train"].to_numpy(dtype=bool),
                predictions=predictions,
            )
        )
    return result
