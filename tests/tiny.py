"""The demo recipe at toy size: a whole experiment takes seconds."""

from __future__ import annotations

from typing import Any

from occkd_lib.config import Recipe, load_recipe, merge

TINY: dict[str, Any] = {
    "data": {"faces": 120},
    "network": {"width": 4, "input_size": 32},
    "batch_size": 16,
    "stages": {
        **{stage: {"epochs": 2} for stage in ("teacher", "student", "standard", "triplet")},
        "other_half": {"epochs": 2},
        "fusion": {"C": [0.1, 1.0]},
    },
}


def tiny_recipe(**change: Any) -> Recipe:
    """The demo recipe at toy size, with ``change`` laid over every experiment."""
    recipe = load_recipe("demo")
    change = merge(TINY, change)
    experiments = {name: e.varied(change) for name, e in recipe.experiments.items()}
    return Recipe(name="tiny", description="toy size", experiments=experiments)
