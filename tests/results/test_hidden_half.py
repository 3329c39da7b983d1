import pytest

from occkd_lib.results import crossed_table, hidden_half, open_store

from .conftest import FUSED, MISTAKES, make_recipe, write_run, write_seed


def test_lines_with_a_student_and_the_largest_machine(full):
    experiment = full.recipe.experiment("gender")
    rows = [row.name for row in hidden_half.compared(experiment)]
    assert sorted(rows) == ["control", "standard", "standard+triplet", "triplet"]
    assert hidden_half.teacher_of(experiment) == "teacher on full"
    stages = {*MISTAKES, "fusion"} - {"other_half"}
    assert sorted(hidden_half.needed(experiment)) == sorted(stages)


def test_shares_and_sentences_of_finished_runs(full):
    """Mistakes of 40: teacher 4, student 14, control 10, triplet 11; the cost is 10 faces."""
    assert hidden_half.lacking(full, "gender") == ""
    found = hidden_half.shares(full, "gender")["share"]
    assert found[["control", "triplet", "standard+triplet"]].tolist() == pytest.approx(
        [40, 30, 120], abs=1e-4
    )
    cost, *added = hidden_half.sentences(full, "gender").splitlines()
    assert cost.startswith("teacher on full: better than student (+25.00 [")
    assert sorted(line.split(":")[0] for line in added) == [
        "standard", "standard+triplet", "triplet",
    ]  # fmt: skip
    assert any("than control_svm" in line or "from control_svm" in line for line in added)


def test_every_complete_seed_counts(full):
    assert len(hidden_half.tables(full, "expression")) == 2
    assert len(hidden_half.tables(full, "gender")) == 1


def test_of_several_seeds_seeds_and_faces_are_both_random(full):
    answers = dict(enumerate(hidden_half.tables(full, "expression")))
    row = crossed_table.differences(answers, [("standard", "control")], "accuracy").iloc[0]
    said = hidden_half.sentences(full, "expression")
    assert f"[{row['low']:+.2f}, {row['high']:+.2f}] points" in said
    assert "by these faces and seeds" in said
    assert "and seeds" not in hidden_half.sentences(full, "gender"), "one seed"


def test_what_is_lacking_is_said_with_the_command(outputs):
    recipe = make_recipe("gender")
    store = open_store(recipe)
    said = hidden_half.lacking(store, "gender")
    assert said.startswith("gender, seed 0: not finished: teacher, student, ")
    assert said.endswith("(occkd run tiny --only gender).") and "other_half" not in said
    write_seed(recipe, "gender", 0)
    assert hidden_half.lacking(open_store(recipe), "gender") == ""


def test_the_other_half_is_not_needed(outputs):
    recipe = make_recipe("gender")
    for stage, wrong in MISTAKES.items():
        if stage != "other_half":
            write_run(recipe, "gender", 0, stage, wrong)
    assert hidden_half.lacking(open_store(recipe), "gender").startswith(
        "gender, seed 0: not finished: fusion ("
    )
    write_run(recipe, "gender", 0, "fusion", FUSED)
    assert hidden_half.lacking(open_store(recipe), "gender") == ""


def test_where_nothing_can_be_won_back(outputs):
    fit = {"epochs": 2, "lr": 0.1}
    whole = make_recipe("gender", visible="full", stages={"teacher": fit})
    assert "nothing is hidden" in hidden_half.lacking(open_store(whole), "gender")
    assert hidden_half.needed(whole.experiment("gender")) == []
    alone = make_recipe("gender", stages={"teacher": fit, "student": fit})
    said = hidden_half.lacking(open_store(alone), "gender")
    assert said == "gender: none of its methods has a student to be compared with."
    few = {**fit, "label_share": 0.1, "start": None}
    taught = {**few, "start": "student", "kind": "hint", "lam": 0.5}
    stages = {"teacher": fit, "student": few, "standard": taught}
    fewer = make_recipe("gender", stages=stages)
    assert "lacks labels, too" in hidden_half.lacking(open_store(fewer), "gender")
