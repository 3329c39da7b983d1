"""The demo recipe at toy size: a whole experiment takes seconds."""

from __future__ import annotations

from occkd_lib.config import Recipe, load_recipe, merge

TINY = {
    "data": {"faces": 120},
    "network": {"width": 4, "input_size": 32},
    "batch_size": 16,
    "fusion": {"C": [0.1, 1.0]},
    "stages": {
        stage: {"epochs": 2} for stage in ("teacher", "student", "control", "standard", "triplet")
    },
}


def tiny_recipe(**change) -> Recipe:
    """The demo recipe at toy size, with ``change`` laid over every experiment."""
    recipe = load_recipe("demo").model_dump()
    recipe["name"] = "tiny"
    experiments = recipe["experiments"]
    recipe["experiments"] = {k: merge(merge(v, TINY), change) for k, v in experiments.items()}
    return Recipe.model_validate(recipe)
