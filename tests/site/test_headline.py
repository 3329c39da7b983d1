"""The results of RESULTS.md are those that lie in outputs/reference."""

from pathlib import Path

import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.site.headline import has_place, main_results, refresh, renew

ROOT = Path(__file__).parents[2]
ROW = {
    "dataset": "ferplus", "task": "expression", "experiment": "fer", "row": "standard",
    "title": "standard T-S",
    "train_faces": "full+lower", "test_faces": "lower", "metric": "accuracy", "subset": "official",
    "seeds": 3, "mean": 0.8, "sd": 0.004, "low": 0.79, "high": 0.81, "vs_student": 0.01,
    "p_vs_student_holm": 0.02, "vs_control": float("nan"), "p_vs_control_holm": float("nan"),
    "vs_student_by_seed": "0.02 -0.01 0.02", "vs_control_by_seed": "",
    "command": "occkd run x --only fer",
}  # fmt: skip
AGE = {**ROW, "dataset": "utkface", "task": "age", "experiment": "age",
       "metric": "mean_absolute_error", "mean": 7.0, "sd": 0.5, "low": 6.5, "high": 7.5,
       "vs_student": -0.3, "vs_student_by_seed": "-0.2 -0.5 0.1", "vs_control": 0.2,
       "vs_control_by_seed": "0.2", "p_vs_control_holm": 0.0004}  # fmt: skip


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text("before\n<!-- results: x -->\nold\n<!-- end of results -->\nafter\n")
    return path


def cells(text, start):
    return [
        [cell.strip() for cell in line[1:-1].split("|")]
        for line in text.splitlines()
        if line.startswith(start)
    ]


def test_the_table_is_written_between_the_marks(page):
    others = [{**ROW, "metric": "weighted_accuracy"}, {**ROW, "subset": "without copies of train"}]
    text = refresh(page, "x", pd.DataFrame([ROW, *others, AGE]))
    assert text.startswith("before\n<!-- results: x -->\n| task ")
    assert text.endswith("|\n<!-- end of results -->\nafter\n")
    assert "old" not in text
    assert cells(text, "| FER+") == [
        ["FER+, expression, accuracy, %", "standard T-S", "full+lower", "lower",
         "80.00 ± 0.40 [79.00, 81.00]", "3", "+1.00 (p 0.020; 2 of 3)", "",
         "occkd run x --only fer"]
    ]  # fmt: skip
    ((task, *_, result, _, difference, control, _),) = cells(text, "| UTKFace")
    assert task == "UTKFace, age, mean absolute error, years"
    assert result == "7.00 ± 0.50 [6.50, 7.50]"
    assert difference == "-0.30 (p 0.020; 2 of 3)", "fewer years are better"
    assert control == "+0.20 (p <0.001)", "one seed has no majority"


def test_experiments_of_the_same_faces_are_told_apart():
    tasks = main_results(pd.DataFrame([ROW, {**ROW, "experiment": "fer_votes"}, AGE]))["task"]
    assert tasks.tolist() == [
        "FER+, expression (fer), accuracy, %", "FER+, expression (fer_votes), accuracy, %",
        "UTKFace, age, mean absolute error, years",
    ]  # fmt: skip


def test_a_data_set_with_a_name_of_its_own():
    table = main_results(pd.DataFrame([{**ROW, "dataset": "street"}]))
    assert table["task"].tolist() == ["street, expression, accuracy, %"]


def test_a_page_without_a_place_for_results(page):
    assert has_place(page, "x")
    assert not has_place(page, "y")
    assert not has_place(page.parent / "none.md", "x")
    with pytest.raises(OcckdError, match="add the lines"):
        refresh(page, "y", pd.DataFrame([ROW]))


def test_it_is_renewed_from_a_folder(page, tmp_path):
    pd.DataFrame([ROW]).to_csv(tmp_path / "summary.csv", index=False)
    renew(page, "x", tmp_path)
    assert "80.00 ± 0.40" in page.read_text()


def test_a_folder_of_another_version_is_refused(page, tmp_path):
    pd.DataFrame([{**ROW}]).drop(columns="command").to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(OcckdError, match="another version"):
        renew(page, "x", tmp_path)
    assert "old" in page.read_text()


def test_the_page_shows_the_reference_results():
    page, shown = ROOT / "RESULTS.md", []
    for path in sorted((ROOT / "outputs" / "reference").glob("*/summary.csv")):
        recipe = path.parent.name
        if has_place(page, recipe):
            shown.append(recipe)
            now = refresh(page, recipe, pd.read_csv(path))
            assert now == page.read_text(encoding="utf-8"), recipe
    assert shown == ["trunk"]
