import numpy as np
import pandas as pd
import pytest

from occkd_lib.results import open_store, summary
from occkd_lib.results.over_seeds import by_seed, sections

from .conftest import FUSED, MISTAKES, make_recipe, write_run, write_seed

ROW = {
    "experiment": "e", "subset": "official", "metric": "accuracy", "row": "standard",
    "title": "standard T-S", "student": "student", "control": "control",
    "vs_student_by_seed": [], "vs_control_by_seed": [],
}  # fmt: skip
CONTROL = {**ROW, "row": "control", "title": "control: as long, no teacher"}


def test_by_seed_by_hand():
    row = {**ROW, "vs_student_by_seed": [0.01, 0.03], "vs_control_by_seed": [-0.01, 0.03, 0.01]}
    student, control = by_seed(pd.DataFrame([row, CONTROL])).to_dict("records")
    assert (student["against"], student["unit"], student["ahead"]) == ("student", "points", 2)
    assert student["mean"] == pytest.approx(2)
    # t(0.975, 1) = 12.706; SD = sqrt 2, so SD / sqrt 2 = 1
    assert student["high"] - student["mean"] == pytest.approx(12.706, abs=1e-3)
    assert control["against"] == "control: as long, no teacher" and control["ahead"] == 2
    # t(0.975, 2) = 4.3027; SD = 2
    assert control["mean"] - control["low"] == pytest.approx(4.3027 * 2 / 3**0.5, abs=1e-3)


def test_fewer_years_are_better_and_one_seed_says_nothing():
    years = {**ROW, "metric": "mean_absolute_error", "vs_control_by_seed": [-0.5, -0.1, 0.3]}
    table = by_seed(pd.DataFrame([years, {**ROW, "vs_student_by_seed": [0.1]}]))
    assert table[["unit", "ahead"]].to_numpy().tolist() == [["years", 2]]
    np.testing.assert_allclose(table["values"].iloc[0], [-0.5, -0.1, 0.3])


def test_a_file_says_the_same_as_the_table():
    row = {**ROW, "vs_student_by_seed": "0.01 0.03", "vs_control_by_seed": float("nan")}
    (line,) = by_seed(pd.DataFrame([row])).to_dict("records")
    assert line["mean"] == pytest.approx(2) and line["ahead"] == 2


def test_nothing_finished_says_nothing(outputs):
    store = open_store(make_recipe("gender"))
    assert list(sections(store, summary(store))) == []


def test_section_from_runs(outputs):
    recipe = make_recipe("expression")
    for seed, lead in ((0, 1), (1, 3)):
        for stage, wrong in {**MISTAKES, "standard": 10 - lead}.items():
            write_run(recipe, "expression", seed, stage, wrong, duplicates=4)
        write_run(recipe, "expression", seed, "fusion", FUSED, duplicates=4)
    store = open_store(recipe)
    (section,) = sections(store, summary(store))
    assert section.title == "Over seeds expression" and section.metric.name == "accuracy"
    table = section.text.set_index(["method", "against"])
    assert table.index.is_unique, "the official test faces alone"
    row = table.loc["standard T-S", "control: as long, no teacher"]
    assert row["seed by seed"] == "+2.50, +7.50" and row["better in"] == "2 of 2"
    assert row["difference, points"].startswith("+5.00 [-26.77")  # 12.706 x 2.5
    assert table.loc["control, SVM", "control: as long, no teacher"]["better in"] == "0 of 2"
    assert ("standard T-S", "student, lower half") in table.index
    means = section.table.set_index(["method", "against"])["mean"]
    assert means["standard T-S", "control: as long, no teacher"] == pytest.approx(5)


def test_no_section_for_one_seed(outputs):
    recipe = make_recipe("gender")
    write_seed(recipe, "gender", 0)
    store = open_store(recipe)
    assert not list(sections(store, summary(store)))
