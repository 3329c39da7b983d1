"""The README's results are those that lie in outputs/reference."""

from pathlib import Path

import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.report.readme import refresh

ROOT = Path(__file__).parents[2]
ROW = {
    "dataset": "ferplus", "task": "expression", "method": "standard", "train_faces": "full+lower",
    "test_faces": "lower", "metric": "accuracy", "subset": "official", "seeds": 3, "mean": 0.8,
    "sd": 0.004, "low": 0.79, "high": 0.81, "vs_student": 0.01, "p_vs_student_holm": 0.02,
    "vs_control": float("nan"), "p_vs_control_holm": float("nan"),
    "vs_student_by_seed": "0.02 -0.01 0.02", "vs_control_by_seed": "",
}  # fmt: skip


def test_the_table_is_written_between_the_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results: x -->\nold\n<!-- end of results -->\nafter\n")
    text = refresh(readme, "x", pd.DataFrame([ROW, {**ROW, "metric": "weighted_accuracy"}]))
    assert text.startswith("before\n<!-- results: x -->\n| task |")
    assert text.endswith("<!-- end of results -->\nafter\n")
    assert "old" not in text
    row = (
        "| FER+, expression, accuracy, % | standard T-S | full+lower | lower "
        "| 80.00 ± 0.40 [79.00, 81.00] | 3 | +1.00 (p 0.020; 2 of 3) |  |"
    )
    assert row in text.splitlines()
    assert text.count("standard T-S") == 1, "weighted accuracy is in table1.md"


def test_a_readme_without_a_place_for_results(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing here")
    with pytest.raises(OcckdError, match="add the lines"):
        refresh(readme, "x", pd.DataFrame([ROW]))


def test_the_readme_shows_the_reference_results():
    summary = pd.read_csv(ROOT / "outputs" / "reference" / "laptop" / "summary.csv")
    readme = ROOT / "README.md"
    assert refresh(readme, "laptop", summary) == readme.read_text(encoding="utf-8")
