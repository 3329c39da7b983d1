"""Tiny recipes and the runs they would leave behind, with predictions made up here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from occkd_lib.report import summary

from occkd_lib.config import Recipe
from occkd_lib.runs import Run, run_folder

STAGE = {"epochs": 2, "lr": 0.1}
STAGES = {
    "teacher": STAGE,
    "student": STAGE,
    "control": STAGE,
    "standard": {**STAGE, "kind": "soft_targets", "lam": 0.7},
    "triplet": {**STAGE, "lam": 0.5, "alpha": 0.1},
}
DATA = {
    "expression": {"name": "ferplus", "labels": "majority"},
    "gender": {"name": "utkface"},
    "age": {"name": "utkface"},
}
SVMS = ("control_svm", "standard_svm", "triplet_svm", "standard+triplet")


def make_recipe(*tasks: str, network: str = "compact", data: str | None = None) -> Recipe:
    """One experiment a task, called like the task; ``data`` replaces the real data sets."""
    experiments = {}
    for task in tasks:
        kind = "soft_targets" if task == "expression" else "hint"
        standard = {**STAGES["standard"], "kind": kind}
        triplet = {**STAGES["triplet"], **({"max_target_gap": 5} if task == "age" else {})}
        experiments[task] = {
            "data": DATA[task] if data is None else {"name": data},
            "task": task,
            "visible": "lower" if task == "expression" else "upper",
            "network": {"name": network},
            "stages": {**STAGES, "standard": standard, "triplet": triplet},
        }
    content = {"name": "tiny", "description": "made up", "experiments": experiments}
    return Recipe.model_validate(content)


def pick(table: pd.DataFrame, **where) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def made_up_faces(task: str, n: int, duplicates: int = 0) -> pd.DataFrame:
    """n val and n test faces with the same targets; the first test ones copy a training face."""
    target = np.linspace(1, 80, n).astype(np.float32) if task == "age" else np.arange(n) % 2
    table = pd.DataFrame(
        {
            "id": [f"{split}{i:04d}" for split in ("val", "test") for i in range(n)],
            "split": np.repeat(["val", "test"], n),
            "target": np.tile(target, 2),
            "duplicate_of_train": False,
        }
    )
    table.loc[n : n + duplicates - 1, "duplicate_of_train"] = True
    return table


def worse(target: np.ndarray, wrong: int) -> np.ndarray:
    """Predictions with the last ``wrong`` classes wrong, or every age ``wrong`` years too high."""
    if target.dtype == np.float32:
        return target + np.float32(wrong)
    prediction = target.copy()
    if wrong:
        prediction[-wrong:] = 1 - prediction[-wrong:]
    return prediction


def write_run(
    recipe: Recipe,
    experiment: str,
    seed: int,
    stage: str,
    wrong: dict[str, int],
    *,
    n: int = 40,
    duplicates: int = 0,
    config: dict | None = None,
    finish: bool = True,
) -> Run:
    """A run whose methods (fusion has four) make ``wrong[method]`` mistakes a view and split."""
    settings = recipe.experiments[experiment]
    own = {"seed": seed, "stage": stage, "task": settings.task, "faces": "abc"}
    config = {**own, "batch_size": settings.batch_size, **(config or {})}
    run = Run.open(run_folder(recipe.name, experiment, seed, stage), config)
    run.start()
    faces = made_up_faces(settings.task, n, duplicates)
    views = {"teacher": ("full", "lower", "upper"), "student_lower": ("lower",),
             "student_upper": ("upper",)}.get(stage, (settings.visible,))  # fmt: skip
    parts = []
    for method, mistakes in wrong.items():
        for visible in views:
            part = faces.assign(method=method, visible=visible)
            once = worse(faces["target"].to_numpy()[:n], mistakes)
            parts.append(part.assign(prediction=np.tile(once, 2), score_0=0.0))
    run.save_table("predictions.parquet", pd.concat(parts, ignore_index=True))
    if stage != "fusion":
        history = {"epoch": [0, 1], "lr": 0.1, "loss": [1.0, 0.5], "validation": [0.4, 0.6]}
        run.save_table("history.csv", pd.DataFrame(history))
    if finish:
        run.finish(n={"train": 100, "val": n, "test": n}, selected_epoch=1)
    return run


MISTAKES = {
    "teacher": 4,
    "student_lower": 12,
    "student_upper": 14,
    "control": 10,
    "standard": 9,
    "triplet": 11,
}
FUSED = dict(zip(SVMS, (10, 9, 8, 2), strict=True))


@pytest.fixture(scope="module")
def full_recipe(tmp_path_factory):
    """expression, gender and age with every stage done, seeds 0 (all) and 1 (expression)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCKD_OUTPUTS", str(tmp_path_factory.mktemp("full")))
        yield write_everything()


@pytest.fixture(scope="module")
def results(full_recipe):
    return summary(full_recipe)


def write_everything() -> Recipe:
    recipe = make_recipe("expression", "gender", "age")
    for task, seeds in (("expression", (0, 1)), ("gender", (0,)), ("age", (0,))):
        for seed in seeds:
            for stage, wrong in MISTAKES.items():
                write_run(recipe, task, seed, stage, {stage: wrong + seed}, duplicates=4)
            write_run(recipe, task, seed, "fusion", FUSED, duplicates=4)
    return recipe
