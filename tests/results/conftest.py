"""Tiny recipes and the runs they would leave behind, with predictions made up here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.results import open_store, summary
from occkd_lib.runs import Run, run_folder
from occkd_lib.site.write import plain
from occkd_lib.stages import rows_of, stage_of
from occkd_lib.stages.run import decides
from occkd_lib.tasks import task_of

FIT = {"epochs": 2, "lr": 0.1}
STAGES = {
    "teacher": FIT,
    "student": FIT,
    "other_half": {**FIT, "method": "student"},
    "control": {**FIT, "of": ["standard", "triplet"]},
    "standard": {**FIT, "kind": "soft_targets", "lam": 0.7},
    "triplet": {**FIT, "lam": 0.5, "alpha": 0.1},
    "fusion": {},
}
DATA = {
    "expression": {"name": "ferplus", "labels": "majority"},
    "gender": {"name": "utkface"},
    "age": {"name": "utkface"},
}
MISTAKES = {  # row -> wrong answers of 40, or years too many
    "teacher": 4,
    "student": 14,
    "other_half": 12,
    "control": 10,
    "standard": 9,
    "triplet": 11,
}
FUSED = {"control_svm": 10, "standard_svm": 9, "triplet_svm": 8, "standard+triplet": 2}


def experiment(task: str, **change) -> dict:
    """Lower faces for expressions, upper ones else; as in a recipe, all merged."""
    lower = task == "expression"
    kind = "soft_targets" if lower else "hint"
    gap = {"max_target_gap": 5} if task == "age" else {}
    stages = {
        **STAGES,
        "other_half": {**STAGES["other_half"], "view": "upper" if lower else "lower"},
        "standard": {**STAGES["standard"], "kind": kind},
        "triplet": {**STAGES["triplet"], **gap},
    }
    content = {
        "data": DATA[task],
        "task": task,
        "visible": "lower" if lower else "upper",
        "network": {"name": "compact"},
        "stages": stages,
    }
    return content | change


def make_recipe(*tasks: str, name: str = "tiny", **change) -> Recipe:
    """One experiment a task, called like the task."""
    experiments = {task: experiment(task, **change) for task in tasks}
    return Recipe.model_validate(
        {"name": name, "description": "made up", "experiments": experiments}
    )


def pick(table: pd.DataFrame, **where) -> pd.DataFrame:
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def made_up_faces(task: str, n: int, duplicates: int = 0, near: int = 0) -> pd.DataFrame:
    """n val and n test faces with the same targets; the first test ones copy a training face, the
    next ones nearly."""
    continuous = task_of(task).continuous
    target = np.linspace(1, 80, n).astype(np.float32) if continuous else np.arange(n) % 2
    table = pd.DataFrame(
        {
            "id": [f"{split}{i:04d}" for split in ("val", "test") for i in range(n)],
            "split": np.repeat(["val", "test"], n),
            "target": np.tile(target, 2),
            "duplicate_of_train": False,
            "near_copy_of_train": False,
        }
    )
    table.loc[n : n + duplicates - 1, "duplicate_of_train"] = True
    table.loc[n : n + duplicates + near - 1, "near_copy_of_train"] = True
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
    name: str,
    seed: int,
    stage: str,
    wrong: int | dict[str, int],
    *,
    n: int = 40,
    duplicates: int = 0,
    near: int = 0,
    config: dict | None = None,
    finish: bool = True,
    splits: tuple[str, ...] = ("val", "test"),
    elsewhere: str | None = None,
) -> Run:
    """A run that makes ``wrong`` mistakes a view and split, or so many in each row of a fusion.

    elsewhere: another data set, on whose test faces it makes one mistake more.
    """
    chosen = recipe.experiments[name]
    what = stage_of(chosen, stage)
    settled = {**decides(chosen, what), "seed": seed, "faces": "abc", **(config or {})}
    run = Run.open(run_folder(recipe.name, name, seed, stage), settled)
    run.start()
    faces = made_up_faces(chosen.task, n, duplicates, near)
    parts = []
    for row, mistakes in (wrong if isinstance(wrong, dict) else {"": wrong}).items():
        for view in what.tested_on:
            for data, more in ((chosen.data.name, 0), (elsewhere, 1)):
                once = worse(faces["target"].to_numpy()[:n], mistakes + more)
                part = faces.assign(data=data, view=view, row=row, prediction=np.tile(once, 2))
                kept = splits if more == 0 else ("test",) if data else ()
                parts.append(part[part["split"].isin(kept)].assign(score_0=0.0))
    run.save_table("predictions.parquet", pd.concat(parts, ignore_index=True))
    if finish:
        run.finish(n={"train": 100, "val": n, "test": n}, selected_epoch=1)
    return run


def write_seed(recipe: Recipe, name: str, seed: int, **how) -> None:
    """All stages of one seed, with MISTAKES (one more for every seed after 0) and FUSED."""
    for stage, wrong in MISTAKES.items():
        write_run(recipe, name, seed, stage, wrong + seed, **how)
    write_run(recipe, name, seed, "fusion", FUSED, **how)


@pytest.fixture(scope="package")
def full(tmp_path_factory):
    """expression (seeds 0 and 1), gender and age (seed 0) with every stage done, as a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCKD_OUTPUTS", str(tmp_path_factory.mktemp("full")))
        recipe = make_recipe("expression", "gender", "age")
        for name, seeds in (("expression", (0, 1)), ("gender", (0,)), ("age", (0,))):
            for seed in seeds:
                write_seed(recipe, name, seed, duplicates=4, near=2)
        yield open_store(recipe)


@pytest.fixture(scope="package")
def results(full):
    return summary(full)


def rows_named(recipe: Recipe, name: str) -> list[str]:
    return [row.name for row in rows_of(recipe.experiments[name]).values()]


@pytest.fixture
def published(outputs, tmp_path, monkeypatch):
    """gender and age, two seeds, as ``occkd results`` keeps them: their store, their summary, and
    the folder outputs/reference/tiny."""
    recipe = make_recipe("gender", "age")
    for seed in (0, 1):
        for name in ("gender", "age"):
            write_seed(recipe, name, seed)
    monkeypatch.setattr("occkd_lib.results.kept.project_root", lambda: tmp_path)
    store, folder = open_store(recipe), tmp_path / "outputs" / "reference" / "tiny"
    folder.mkdir(parents=True)
    table = summary(store)
    table.map(plain).to_csv(folder / "summary.csv", index=False)
    return store, table, folder
