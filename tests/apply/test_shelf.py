"""Which models there are, and whether each still says what it said."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.apply import shelf
from occkd_lib.apply.model import save_model
from occkd_lib.apply.tensors import hash_of
from tests.apply.test_model import facts, random_net, rewrite


@pytest.fixture
def folder(tmp_path):
    chosen = facts()
    save_model(tmp_path / "shelf" / "m", random_net(chosen), chosen)
    return tmp_path / "shelf" / "m"


def test_nothing_is_wrong(folder):
    assert shelf.verify_model(folder) == []


@pytest.mark.parametrize("task", ["gender", "age"])
def test_of_one_output(tmp_path, task):
    classes = ["male", "female"] if task == "gender" else []
    chosen = facts(task=task, classes=classes, outputs=1)
    save_model(tmp_path / "m", random_net(chosen), chosen)
    assert shelf.verify_model(tmp_path / "m") == []


def test_other_values_with_their_own_hash_are_found(folder):
    def change(tensors, known):
        tensors["head.bias"][0] += 1
        known["sha256"] = hash_of(tensors)

    rewrite(folder, change)
    edited, problem = shelf.verify_model(folder)
    assert "was either edited" in edited and "something else of the test pattern" in problem


def test_an_answer_that_moved(folder):
    """More than a thousandth is a problem, less is not; not a number is one."""

    def move(by):
        def change(tensors, known):
            known["check"][0][0] += by

        rewrite(folder, change)
        return shelf.verify_model(folder)

    assert move(5e-4) == []
    assert move(1e-3) != []
    rewrite(folder, lambda tensors, known: known.update(check=[[0.1, 0.2, 0.7]]))
    assert "said (1, 3)" in shelf.verify_model(folder)[0]


@pytest.mark.parametrize("field", [{"classes": ["b", "a", "c"]}, {"title": "\ud800"}])
def test_facts_that_are_not_those_of_the_card(folder, field):
    rewrite(folder, lambda tensors, known: known.update(field))
    (problem,) = shelf.verify_model(folder)
    assert "card.md is not what model.safetensors says of itself" in problem


def test_damage_and_a_missing_card(folder):
    (folder / "card.md").unlink()
    save_file({"a": torch.zeros(1)}, folder / "model.safetensors")
    missing, damaged = shelf.verify_model(folder)
    assert "card.md is missing" in missing and "describes no model" in damaged


def test_the_models_at_hand(folder, tmp_path, outputs, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    assert shelf.models() == []
    chosen = facts()
    for place in (
        outputs / "models" / "b",
        outputs / "models" / "a",
        tmp_path / "project/models/c",
    ):
        save_model(place, random_net(chosen), chosen)
    assert [path.name for path in shelf.models()] == ["a", "b", "c"]
    assert [path.name for path in shelf.models(folder.parent)] == ["m"]
