"""The models that come with the book: whole, small, and what their folders are called."""

from pathlib import Path

import pytest

from occkd_lib.apply import load
from occkd_lib.apply.card import card
from occkd_lib.apply.model import FILE, facts_in
from occkd_lib.apply.shelf import verify_model

ROOT = Path(__file__).parents[2] / "models"
FOLDERS = sorted(path.parent for path in ROOT.glob(f"*/*/{FILE}"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_it_says_what_it_said_and_fits(folder):
    facts = facts_in(folder)
    assert (facts.task, facts.visible) == (folder.parent.name, folder.name)
    assert verify_model(folder) == []
    assert (folder / FILE).stat().st_size < 3e6
    assert (folder / "card.md").read_text() == card(facts)
    assert facts.licence.tag == "other", "the faces were for research"


@pytest.mark.parametrize("task", ["age", "expression", "gender"])
def test_a_task_s_models_answer_together(task):
    assert load(ROOT / task, finds="whole").models.keys() == {"full", "lower", "upper"}
