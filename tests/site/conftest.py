"""The made-up runs of tests/results, with learning curves."""

from __future__ import annotations

import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.runs import Run
from occkd_lib.tasks import task_of

from ..results import conftest as made_up

SMALL = {"name": "compact", "width": 4, "input_size": 32}


def make_recipe(task: str = "gender", **change) -> Recipe:
    """One experiment, called like its task."""
    return made_up.make_recipe(task, **{"network": SMALL, **change})


def write_run(recipe: Recipe, name: str, stage: str, seed: int = 0, faces: str = "abc") -> Run:
    """A finished run that makes MISTAKES or FUSED, one more a seed, of 40 faces a view and split.

    faces: fingerprint of those that it saw.
    """
    mistakes = made_up.MISTAKES.get(stage)
    fused = {row: wrong + seed for row, wrong in made_up.FUSED.items()}
    wrong = fused if mistakes is None else mistakes + seed
    run = made_up.write_run(recipe, name, seed, stage, wrong, duplicates=4, config={"faces": faces})
    if mistakes is not None:
        sign = task_of(recipe.experiments[name].task).metric.sign
        history = {"epoch": [0, 1], "lr": 0.1, "loss": [1.0, 0.5], "validation": [sign] * 2}
        run.save_table("history.csv", pd.DataFrame(history))
    return run


@pytest.fixture
def recipe(outputs) -> Recipe:
    """Gender with every stage done, one seed."""
    recipe = make_recipe()
    for stage in recipe.experiments["gender"].stages:
        write_run(recipe, "gender", stage)
    return recipe
