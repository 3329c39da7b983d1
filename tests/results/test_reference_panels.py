"""What the reference says of a chapter's question, and that its words follow the numbers."""

import numpy as np
import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import (
    every_prediction,
    reference_contrasts,
    reference_gains,
)
from occkd_lib.results.crossed_table import contrast
from occkd_lib.results.reference_panels import reference_answers, section, sentence

WHERE = [("tiny", "gender"), ("tiny", "age")]


@pytest.fixture
def written(published):
    """With every prediction on file, too."""
    store, table, folder = published
    for name in ("gender", "age"):
        every_prediction(store.answers(name)).to_parquet(folder / f"predictions-{name}.parquet")
    return table, folder


def test_gains_are_the_summary_in_points_and_years(written):
    table, _ = written
    found = reference_gains(["standard"], WHERE).table.set_index("recipe")
    for name, factor in (("gender", 100), ("age", 1)):
        line = table[(table["experiment"] == name) & (table["subset"] == "official")]
        line = line[line["row"] == "standard"].iloc[0]
        row = found.loc[f"tiny/{name}"]
        assert row["difference"] == pytest.approx(factor * line["vs_control"])
        assert row["difference low"] == pytest.approx(factor * line["vs_control_low"])
        assert row["value"] == pytest.approx(factor * line["mean"])
        assert row["p (Holm)"] == pytest.approx(line["p_vs_control_holm"])
        assert row["p (faces)"] == pytest.approx(line["p_vs_control_faces"])
        assert (row["visible"], row["seeds"]) == ("upper half", 2)
        assert row["against"].startswith("control")
    assert "student" not in set(reference_gains(None, WHERE).table["method"]), "it has no control"


def test_a_pair_is_worked_out_from_the_answers(written):
    pair = (("teacher", "visible"), ("teacher", "full"))
    found = reference_contrasts([pair, (("nobody", "visible"), ("teacher", "full"))], WHERE).table
    assert list(found["method"]) == ["teacher on upper half"] * 2
    assert list(found["difference"]) == [0, 0], "as many mistakes on each view"
    one = (("control", "visible"), ("student", "visible"))
    found = reference_contrasts([one], WHERE).table.set_index("recipe")["difference"]
    assert found["tiny/gender"] == pytest.approx(100 * 4 / 40), "10 mistakes instead of 14"
    assert found["tiny/age"] == pytest.approx(10 - 14)
    assert set(reference_contrasts([one], WHERE).table["visible"]) == {"upper half"}


def test_a_pair_is_on_its_own_view(written):
    table, folder = written
    teacher = table[(table["row"] == "teacher") & (table["test_faces"] == "full")]
    both = pd.concat([table, teacher.assign(row="second")])
    both.to_csv(folder / "summary.csv", index=False)
    said = pd.read_parquet(path := folder / "predictions-gender.parquet")
    again = said[(said["row"] == "teacher") & (said["test_faces"] == "full")]
    pd.concat([said, again.assign(row="second")]).to_parquet(path)
    whole = (("teacher", "full"), ("second", "full"))
    assert reference_contrasts([whole], WHERE[:1]).table["visible"].tolist() == ["full face"]


def test_a_value_of_a_pair_is_the_published_one(written):
    table, folder = written
    said = (table["experiment"] == "gender") & (table["row"] == "control")
    table.loc[said & (table["subset"] == "official"), ["low", "high"]] = 0.11, 0.99
    table.to_csv(folder / "summary.csv", index=False)
    one = (("control", "visible"), ("student", "visible"))
    found = reference_contrasts([one], WHERE[:1]).table.iloc[0]
    assert (found["low"], found["high"]) == (11, 99)
    path = folder / "predictions-gender.parquet"  # a seed that only one of them has does not count
    answers = pd.read_parquet(path)
    answers[~((answers["row"] == "student") & (answers["seed"] == 1))].to_parquet(path)
    assert reference_contrasts([one], WHERE[:1]).table["low"].iloc[0] != 11


def test_only_seeds_that_have_both_are_compared(written):
    _, folder = written
    path = folder / "predictions-gender.parquet"
    table = pd.read_parquet(path)
    table[~((table["row"] == "student") & (table["seed"] == 1))].to_parquet(path)
    one = (("control", "visible"), ("student", "visible"))
    assert list(reference_contrasts([one], WHERE).table["seeds"]) == [1, 2]


def test_answers_of_old_files_are_found_by_their_old_names(written):
    _, folder = written
    path = folder / "predictions-gender.parquet"
    now = reference_answers("tiny", "gender", [("student", "upper")])
    table = pd.read_parquet(path).rename(columns={"row": "method"})
    table["method"] = table["method"].replace({"student": "student_upper"})
    table.to_parquet(path)
    then = reference_answers("tiny", "gender", [("student", "upper")])
    pd.testing.assert_frame_equal(now[0], then[0])
    assert contrast(then, {"student on upper": 1}, "accuracy").seeds == 2


def row(difference, p, metric="accuracy", recipe="a/b"):
    return {"recipe": recipe, "metric": metric, "difference": difference, "p (Holm)": p}


def test_the_sentence_follows_the_numbers():
    table = pd.DataFrame([
        row(2, 0.01, recipe="a"), row(-1, 0.01, "mean_absolute_error", "b"), row(1, 0.01,
        "mean_absolute_error", "c"), row(-3, 0.2, recipe="d"),
    ])  # fmt: skip
    assert sentence(table, "a family") == (
        "Of 4 comparisons: better in 2 (a, b); worse in 1 (c); not told apart in 1 (d) "
        "(p below 0.05 by Holm's rule over a family)."
    )


def test_p_without_a_published_family_is_adjusted_over_the_rows(written):
    one = {
        "recipe": "r", "data": "d", "visible": "v", "method": "m", "value": 1, "low": 0, "high": 2,
        "against": "c", "metric": "accuracy", "difference": 1, "difference low": 0,
        "difference high": 2, "seeds": 3, "p (Holm)": np.nan,
    }  # fmt: skip
    found = section(pd.DataFrame([{**one, "p": 0.01}, {**one, "p": 0.04}]), "nothing", "both")
    assert list(found.table["p (Holm)"]) == [0.02, 0.04]
    assert found.sentence.endswith("by Holm's rule over both).")
    assert found.text["value"].iloc[0] == "accuracy 1.00 [0.00, 2.00] %"
    assert found.text["difference"].iloc[0] == "+1.00 [+0.00, +2.00] points"


def test_what_is_not_on_file_is_left_out_or_asked_for(written):
    assert len(reference_gains(["standard"], [*WHERE, ("nose", "x"), ("tiny", "x")]).table) == 2
    with pytest.raises(OcckdError, match="no outputs/reference/nose/summary.csv: write it with"):
        reference_gains(["standard"], [("nose", "x")])
    with pytest.raises(OcckdError, match="none of"):
        reference_gains(["nobody"], WHERE)
    with pytest.raises(OcckdError, match="no such pair"):
        reference_contrasts([(("nobody", "visible"), ("teacher", "full"))], WHERE)
    (written[1] / "predictions-age.parquet").unlink()
    with pytest.raises(OcckdError, match="no outputs/reference/tiny/predictions-age.parquet"):
        reference_contrasts([(("teacher", "visible"), ("teacher", "full"))], WHERE)
