"""Every test writes its runs to a folder of its own; a toy recipe and random faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from occkd_lib.config import Recipe
from occkd_lib.data import FaceSet
from occkd_lib.stages import run_stage
from tests.tiny import tiny_recipe


@pytest.fixture(autouse=True)
def no_earlier_command(monkeypatch):
    """A command of another test was given elsewhere (``project.here``)."""
    monkeypatch.delenv("OCCKD_HERE", raising=False)


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A fresh outputs root."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("OCCKD_OUTPUTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory) -> Path:
    """Outputs in which every stage of the toy recipe's expression is finished."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCKD_OUTPUTS", str(folder))
        for stage in tiny_recipe().experiment("expression").order():
            run_stage(tiny_recipe(), "expression", 0, stage, say=lambda line: None)
    return folder


@pytest.fixture
def trained(trained_once, outputs) -> Path:
    """A copy of these, for a test to change; the folder of the expression's seed 0."""
    shutil.copytree(trained_once, outputs, symlinks=True)
    return outputs / "tiny" / "expression" / "seed0"


@pytest.fixture
def tiny() -> Recipe:
    """The demo recipe at toy size."""
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
