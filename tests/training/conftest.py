"""A recipe and faces small enough that a whole experiment takes seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occkd_lib.config import Recipe, load_recipe, merge
from occkd_lib.data import FaceSet

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


@pytest.fixture
def tiny() -> Recipe:
    return tiny_recipe()


@pytest.fixture
def faces() -> FaceSet:
    """Thirty random grey faces of 20 x 20 pixels, two classes."""
    generator = torch.Generator().manual_seed(0)
    n = 30
    return FaceSet(
        name="random",
        task="gender",
        classes=("male", "female"),
        images=torch.randint(0, 256, (n, 1, 20, 20), dtype=torch.uint8, generator=generator),
        targets=torch.arange(n) % 2,
        ids=np.array([f"face{i}" for i in range(n)]),
        splits=np.array(["train"] * n),
        duplicate_of_train=np.zeros(n, dtype=bool),
    )
