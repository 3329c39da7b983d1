import pandas as pd
import pytest

from occkd_lib.report.published import NOTES, published, published_row

CELL = ["method", "model", "train_faces", "test_faces", "dataset", "metric"]


def test_every_cell_is_there():
    cells = published()
    assert len(cells) == 432
    assert len(published("journal", 1)) == 108
    assert not published("journal")["method"].str.contains(r"student.*\[", regex=True).any()
    daggers = cells[cells["significant"]].groupby(["paper", "table"]).size()
    assert daggers.to_dict() == {("icpr2020", "I"): 7, ("journal", "1"): 17, ("journal", "2"): 5}
    assert cells.loc[cells["significant"], "value"].notna().all()


def test_table_4_repeats_tables_1_and_2():
    earlier = pd.concat([published("journal", 1), published("journal", 2)])
    both = published("journal", 4).merge(earlier, on=CELL)
    assert len(both) == 18, "standard, triplet and combined; 2 networks; 3 data sets"
    assert (both["value_x"] == both["value_y"]).all()


def test_the_two_papers_differ_in_one_cell():
    both = published("journal", 1).merge(published("icpr2020"), on=CELL)
    both = both[both["value_x"].notna() | both["value_y"].notna()]
    differ = both[both["value_x"] != both["value_y"]]
    cells = differ[["model", "value_x", "value_y"]].to_numpy().tolist()
    assert cells == [["VGG-face", 82.28, 81.28]]
    assert differ["note_x"].str.contains("Keep both").all()
    assert (both["significant_x"] == both["significant_y"]).all()


def test_accuracies_are_counts_of_test_faces():
    cells = published("journal")
    cells = cells[(cells["dataset"] == "FER+") & (cells["metric"] == "accuracy_pct")]
    ours = cells[~cells["method"].str.startswith("sota") & cells["value"].notna()]["value"]
    counts = (ours * 31.37).round()
    assert ((100 * counts / 3137 - ours).abs() < 0.01).all(), "the test set has 3,137 faces"


def test_every_note_is_about_some_cell():
    cells = published()
    for note in NOTES:
        assert cells["note"].str.contains(note.text, regex=False).any(), note


def test_weighted_accuracies_with_a_dagger_are_marked():
    cells = published("journal", 1)
    cells = cells[(cells["metric"] == "weighted_accuracy_pct") & cells["significant"]]
    assert len(cells) == 6
    assert cells["note"].str.contains("McNemar").all()


def test_a_row_by_network():
    row = published_row(
        published("journal", 1), dataset="FER+", method="standard_TS", train_faces="full+lower",
        test_faces="lower", metric="accuracy",
    )  # fmt: skip
    assert row == {"VGG-f": (80.17, True), "VGG-face": (82.37, False), "ResNet-50": (82.37, True)}


def test_unknown_tables_are_errors():
    with pytest.raises(ValueError, match="no published table 9; there are 1, 2, 3, 4"):
        published("journal", 9)
