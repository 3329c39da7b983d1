"""Tiny recipes and the runs they would leave behind, with predictions made up here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages import rows_of, stage_of
from occkd_lib.stages.run import decides
from occkd_lib.tasks import task_of

FIT = {"epochs": 2, "lr": 0.1}
STAGES = {
    "teacher": FIT,
    "student": FIT,
    "other_half": {**FIT, "method": "student", "view": "lower"},
    "standard": {**FIT, "kind": "hint", "lam": 0.7},
    "triplet": {**FIT, "lam": 0.5, "alpha": 0.1},
    "control": {"of": ["standard", "triplet"]},
    "fusion": {"C": [1]},
}
MISTAKES = {  # row -> wrong answers of 40, or years
    "teacher": 4, "student": 12, "other_half": 14, "control": 10, "standard": 9, "triplet": 11,
    "control_svm": 10, "standard_svm": 9, "triplet_svm": 8, "standard+triplet": 2,
}  # fmt: skip
N = 40


def make_recipe(task: str = "gender", data: dict | None = None, **change) -> Recipe:
    """One experiment, called like its task, about upper halves unless ``change`` says otherwise."""
    stages = {name: dict(settings) for name, settings in STAGES.items()}
    if task == "age":
        stages["triplet"]["max_target_gap"] = 5
    experiment = {
        "data": data or {"name": "utkface"},
        "task": task,
        "visible": "upper",
        "network": {"name": "compact", "width": 4, "input_size": 32},
        "stages": stages,
    }
    experiments = {task: {**experiment, **change}}
    content = {"name": "tiny", "description": "made <up>", "experiments": experiments}
    return Recipe.model_validate(content)


def made_up_faces(task: str) -> pd.DataFrame:
    """N val and N test faces with the same targets; the first four test ones are in train, too."""
    years = np.linspace(1, 80, N).astype(np.float32)
    target = years if task_of(task).continuous else np.arange(N) % 2
    table = pd.DataFrame(
        {
            "id": [f"{split}{i:04d}" for split in ("val", "test") for i in range(N)],
            "split": np.repeat(["val", "test"], N),
            "target": np.tile(target, 2),
            "duplicate_of_train": False,
            "near_copy_of_train": False,
        }
    )
    table.loc[N : N + 3, ["duplicate_of_train", "near_copy_of_train"]] = True
    return table


def worse(target: np.ndarray, wrong: int) -> np.ndarray:
    """The last ``wrong`` of every N classes wrong, or every age ``wrong`` years too high."""
    if target.dtype == np.float32:
        return target + np.float32(wrong)
    last = np.arange(len(target)) % N >= N - wrong
    return np.where(last, 1 - target, target)


def write_run(recipe: Recipe, name: str, stage: str, seed: int = 0, faces: str = "abc") -> Run:
    """A finished run whose rows make the MISTAKES (and one more a seed) in every view and split.

    faces: fingerprint of those that it saw.
    """
    experiment = recipe.experiments[name]
    own = {"seed": seed, "faces": faces, "parents": {}}
    config = {**decides(experiment, stage_of(experiment, stage)), **own}
    run = Run.open(run_folder(recipe.name, name, seed, stage), config)
    run.start()
    table = made_up_faces(experiment.task)
    parts = []
    for row in rows_of(experiment).values():
        if row.stage == stage:
            said = worse(table["target"].to_numpy(), MISTAKES[row.name] + seed)
            part = table.assign(row=row.key, view=row.view, prediction=said, score_0=0.0)
            parts.append(part.assign(data=experiment.data.name))
            if row.name == stage:
                sign = task_of(experiment.task).metric.sign
                history = {"epoch": [0, 1], "lr": 0.1, "loss": [1, 0.5], "validation": [sign] * 2}
                run.save_table("history.csv", pd.DataFrame(history))
    run.save_table("predictions.parquet", pd.concat(parts, ignore_index=True))
    run.finish(n={"train": 100, "val": N, "test": N}, selected_epoch=1)
    return run


@pytest.fixture
def recipe(outputs) -> Recipe:
    """Gender with every stage done, one seed."""
    recipe = make_recipe()
    for stage in recipe.experiments["gender"].stages:
        write_run(recipe, "gender", stage)
    return recipe
