"""The published tables, rebuilt from their CSV, against each other and against their papers' text.

Journal and ICPR: the sentences tested here are in Sect. 4.2.6, 4.3.6, 4.3.7, 4.4 and 5 (journal)
and IV-E (ICPR). What the text gets wrong is in NOTES, and tested as such.
"""

import math
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from occkd_lib.data import DATA_SETS, DataSettings
from occkd_lib.evaluation import mcnemar_test
from occkd_lib.methods import METHODS
from occkd_lib.papers import (
    PAPERS,
    TABLES,
    comparability,
    disagreements,
    published,
    published_table,
)
from occkd_lib.papers.base import PRINTED_METRICS
from occkd_lib.tasks import METRICS

from ..results.conftest import make_recipe

CELL = ["method", "model", "train_faces", "test_faces", "dataset", "metric"]
VGGS = ("VGG-f", "VGG-face")
ALL = (*VGGS, "ResNet-50")
TEST_FACES = {"FER+": 3137, "AffectNet": 4000, "UTKFace-gender": 4738}
STUDENT, BOTH = "student_no_distillation", "triplet+standard_TS"


def values(table, method, test, *, dataset=None, train=None, metric="accuracy_pct", models=ALL):
    """Model -> value, for one printed block of rows and one column."""
    cells = published("icpr2020" if table == "I" else "journal", table)
    cells = cells[(cells["method"] == method) & (cells["test_faces"] == test)]
    cells = cells[cells["metric"] == metric]
    if dataset:
        cells = cells[cells["dataset"] == dataset]
    if train:
        cells = cells[cells["train_faces"] == train]
    found = cells.set_index("model")["value"]
    assert found.index.is_unique and set(models) <= set(found.index)
    return found[list(models)]


def less(a, b):
    return (a - b).round(2).tolist()


# --- the tables as printed ----------------------------------------------------------------------


def test_every_cell_is_there():
    cells = published()
    assert len(cells) == 432
    assert len(published("journal", 1)) == 108
    assert not published("journal")["method"].str.contains(r"student.*\[", regex=True).any()
    daggers = cells[cells["significant"]].groupby(["paper", "table"]).size()
    assert daggers.to_dict() == {("icpr2020", "I"): 7, ("journal", "1"): 17, ("journal", "2"): 5}
    assert cells.loc[cells["significant"], "value"].notna().all()


@pytest.mark.parametrize(
    ("table", "cited", "models", "columns"),
    [("1", 12, ALL, 3), ("2", 1, ALL, 1), ("3", 1, ALL, 1), ("icpr", 5, VGGS, 2)],
)
def test_a_table_is_a_full_grid(table, cited, models, columns):
    spec = published_table(table)
    cells = published(spec.paper, spec.number)
    grid = cells.assign(column=cells["dataset"] + cells["metric"]).pivot(
        index=["row_method", "model", "train_faces", "test_faces"], columns="column", values="value"
    )
    ours = grid[~grid.index.get_level_values("row_method").str.startswith("sota")]
    assert grid.shape == (cited + 8 * len(models), columns), "8 blocks: 3 teacher, 2 student, 3 T-S"
    assert ours.notna().all(axis=None), "only cited works have dashes"
    blocks = ours.groupby(["train_faces", "test_faces"]).size()
    half = "upper" if table in "23" else "lower"
    assert blocks.to_dict() == {
        ("full", "full"): len(models), ("full", "lower"): len(models),
        ("full", "upper"): len(models), ("lower", "lower"): len(models),
        ("upper", "upper"): len(models), (f"full+{half}", half): 3 * len(models),
    }  # fmt: skip


def test_table_4_is_a_full_grid():
    cells = published("journal", 4)
    grid = cells.pivot(index=["model", "row_method"], columns="dataset", values="value")
    assert grid.shape == (10, 3) and grid.notna().all(axis=None)
    assert set(cells["train_faces"] + cells["dataset"]) == {
        "full+lowerFER+", "full+lowerAffectNet", "full+upperUTKFace-gender"
    }  # fmt: skip


# --- the tables against each other --------------------------------------------------------------


def test_table_4_repeats_tables_1_and_2():
    earlier = pd.concat([published("journal", 1), published("journal", 2)])
    both = published("journal", 4).merge(earlier, on=CELL)
    assert len(both) == 18, "standard, triplet and combined; 2 networks; 3 data sets"
    assert (both["value_x"] == both["value_y"]).all()


def test_the_two_papers_differ_in_one_cell():
    both = published("journal", 1).merge(published("icpr2020"), on=CELL)
    own = both[~both["method"].str.startswith("sota")]
    assert len(own) == 32, "every ICPR cell of its own networks is in the journal, too"
    both = both[both["value_x"].notna() | both["value_y"].notna()]
    differ = both[both["value_x"] != both["value_y"]]
    cells = differ[["model", "value_x", "value_y"]].to_numpy().tolist()
    assert cells == [["VGG-face", 82.28, 81.28]]
    assert differ["note_x"].str.contains("Keep both").all()
    assert differ["note_y"].str.contains("Keep both").all()
    assert (both["significant_x"] == both["significant_y"]).all()
    assert disagreements()[["model", "journal", "icpr2020"]].to_numpy().tolist() == cells


# --- the tables against the test faces ----------------------------------------------------------


def fits(value: float, n: int) -> bool:
    """Is there a count of n faces that prints as ``value`` per cent: rounded, cut or rounded up?"""
    counts = 100 * np.arange(math.floor(value * n / 100) - 1, math.ceil(value * n / 100) + 2) / n
    nearest = np.abs(counts - value).min()
    return bool(nearest < 0.01 - 1e-9)


def test_accuracies_are_counts_of_test_faces():
    cells = pd.concat([published("journal", number) for number in (1, 2, 4)])
    cells = cells[(cells["metric"] == "accuracy_pct") & ~cells["method"].str.startswith("sota")]
    odd = {row.value for row in cells.itertuples() if not fits(row.value, TEST_FACES[row.dataset])}
    assert odd == {49.71, 50.09, 47.01, 48.89}
    assert all(fits(value, 3999) for value in odd)
    assert set(cells.loc[cells["value"].isin(odd), "dataset"]) == {"AffectNet"}


def test_fits_can_say_no():
    assert fits(81.09, 3137) and fits(33.33, 3) and fits(66.66, 3) and fits(66.67, 3)
    assert not fits(50.0, 3) and not fits(49.71, 4000)


def test_weighted_accuracy_is_always_below_accuracy():
    cells = published("journal", 1)
    cells = cells[(cells["dataset"] == "FER+") & ~cells["method"].str.startswith("sota")]
    wide = cells.pivot(index=CELL[:4], columns="metric", values="value")
    gap = wide["accuracy_pct"] - wide["weighted_accuracy_pct"]
    assert len(gap) == 24 and gap.min() > 7 and gap.max() < 30


# --- the tables against the text ----------------------------------------------------------------


def test_text_on_half_faces_in_table_1():
    for table, models, (low, high), (least, most) in (
        (1, ALL, (24, 49), (37, 71)),
        ("I", VGGS, (26, 49), (37, 70)),
    ):
        for view, bounds in (("upper", (low, high)), ("lower", (least, most))):
            found = np.concatenate([
                values(table, "teacher", view, dataset=dataset, models=models)
                for dataset in ("FER+", "AffectNet")
            ])  # fmt: skip
            assert math.floor(found.min()) == bounds[0] and math.ceil(found.max()) == bounds[1]
        drops = np.concatenate([
            values(table, STUDENT, "lower", dataset=d, models=VGGS)
            - values(table, STUDENT, "upper", dataset=d, models=VGGS)
            for d in ("FER+", "AffectNet")
        ])  # fmt: skip
        assert round(drops.min()) == 5 and round(drops.max()) == 12, "[16] and [29] in the journal"


def test_text_on_half_faces_in_table_2():
    full = values(2, "teacher", "full")
    assert less(full, values(2, "teacher", "lower")) == [14.65, 19.15, 18.19], "14 % to 19 %"
    upper = less(full, values(2, "teacher", "upper"))
    assert max(upper) == 7.68 and np.argmax(upper) == ALL.index("ResNet-50")
    assert values(2, STUDENT, "lower")["ResNet-50"] == 86.47
    assert values(2, STUDENT, "upper")["ResNet-50"] == 88.75


def test_text_on_half_faces_in_table_3():
    years = {"metric": "mae_years"}
    assert values(3, "teacher", "lower", **years).max() == 14.23
    assert values(3, "teacher", "upper", **years).max() == 11.92
    assert values(3, STUDENT, "lower", **years).min() == 6.15
    assert values(3, STUDENT, "upper", **years).min() == 5.53


def test_text_on_gains():
    student = values(2, STUDENT, "upper")
    gains = less(values(2, "standard_TS", "upper"), student)
    assert (min(gains), max(gains)) == (0.19, 0.70)
    assert less(values(2, "triplet_TS", "upper"), student)[0] == 0.63
    assert less(values(2, "teacher", "full"), values(2, BOTH, "upper"))[2] == 1.25
    years = {"metric": "mae_years"}
    best = less(values(3, STUDENT, "upper", **years), values(3, BOTH, "upper", **years))
    assert best == [0.14, 0.13, 0.11], "VGG-f gains most, from 6.36 to 6.22"
    teacher = values(3, "teacher", "full", **years)
    assert less(values(3, BOTH, "upper", **years), teacher)[2] == 1.06, "Sect. 5"
    barsoum = published("journal", 1).query("model == 'VGG-13' and dataset == 'FER+'")["value"]
    combined = values(1, BOTH, "lower", dataset="FER+")
    assert round(barsoum.max() - combined["VGG-face"], 2) == 2.24


def test_text_on_svms():
    cells = published("journal", 4)
    wide = cells.pivot(index=["model", "dataset"], columns="method", values="value")
    assert (wide[["standard_TS+SVM", "triplet_TS+SVM"]].max(axis=1) <= wide[BOTH]).all()


def test_what_the_text_gets_wrong():
    years = {"metric": "mae_years"}
    teacher = values(3, "teacher", "full", **years)
    assert less(values(3, "triplet_TS", "upper", **years), teacher)[2] == 1.07, "upper, not lower"
    assert less(values(3, "standard_TS", "upper", **years), teacher)[2] == 1.08, "and not largest"
    reference = published("journal", 2).query("method == 'sota_reference'")["value"].item()
    assert [round(v - reference, 2) for v in values(2, "teacher", "full")] == [1.98, 1.4, 0.08]
    weighted = {"dataset": "FER+", "metric": "weighted_accuracy_pct"}
    worse = values(1, "standard_TS", "lower", **weighted) < values(1, STUDENT, "lower", **weighted)
    assert worse.tolist() == [False, False, True]
    triplet = values(1, "triplet_TS", "lower", dataset="FER+")
    assert (triplet < values(1, STUDENT, "lower", dataset="FER+")).tolist() == [False, False, True]
    tie = published("journal", 4).query("model == 'VGG-face' and dataset == 'UTKFace-gender'")
    tie = tie.set_index("method")["value"]
    assert tie["standard_TS+SVM"] == tie[BOTH] > tie["triplet_TS+SVM"]
    standard = published("journal", 2).query("method == 'standard_TS' and significant")
    assert standard["model"].tolist() == ["ResNet-50"]


@pytest.mark.parametrize(("student", "most"), [(82.28, 51), (81.28, 527)])
def test_how_many_faces_the_dagger_on_82_75_allows_to_differ(student, most):
    """Continuity-corrected McNemar at 5 %: (|b - c| - 1)^2 / (b + c) > 3.84."""
    more = round(3137 * 82.75 / 100) - round(3137 * student / 100)
    assert math.floor((more - 1) ** 2 / 3.841459) == most


def test_the_exact_test_agrees_about_51_faces():
    b, c = 33, 18  # 51 that differ, 15 more for the ensemble
    assert mcnemar_test([1] * b + [0] * c, [0] * b + [1] * c).p < 0.05
    b, c = 34, 19
    assert mcnemar_test([1] * b + [0] * c, [0] * b + [1] * c).p > 0.05


# --- notes and lookups --------------------------------------------------------------------------


def test_every_note_is_about_some_cell():
    cells = published()
    for paper in PAPERS.values():
        own = cells[cells["paper"] == paper.name]
        for _, note in paper.notes():
            assert own["note"].str.contains(note, regex=False).any(), note


def test_weighted_accuracies_with_a_dagger_are_marked():
    cells = published("journal", 1)
    cells = cells[(cells["metric"] == "weighted_accuracy_pct") & cells["significant"]]
    assert len(cells) == 6
    assert cells["note"].str.contains("McNemar").all()


def test_unknown_tables_are_errors():
    with pytest.raises(ValueError, match="no published table 9; there are 1, 2, 3, 4"):
        published("journal", 9)
    with pytest.raises(ValueError, match="no Table 5 to stand beside; one of 1, 2, 3, 4, icpr, "):
        published_table(5)
    with pytest.raises(
        ValueError, match="no published paper 'nature'; there are journal, icpr2020"
    ):
        published("nature")
    assert published_table(3) == published_table("3") == TABLES["3"]


def test_a_paper_s_folder_holds_its_tables_and_no_other_s():
    for name, paper in PAPERS.items():
        cells = paper.cells()
        assert set(cells["paper"]) == {name}
        assert set(paper.tables) == set(cells["table"])
        for key, spec in paper.keyed_tables().items():
            assert (spec.paper, spec.key) == (name, key) and published_table(key) == spec
    stems = [spec.stem for paper in PAPERS.values() for spec in paper.tables.values()]
    assert len(stems) == len(set(stems)) == 14
    numbers = ["II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "text IV-E"]
    last = [f"emotional education {number}" for number in numbers]
    assert list(TABLES) == ["1", "2", "3", "4", "icpr", *last]


def test_what_rows_are_called_occurs_in_the_papers():
    """Every name that a method declares for a paper stands in that paper."""
    for method in METHODS.values():
        for paper, name in method.published.items():
            assert name in set(published(paper)["method"])


def test_metrics_that_are_printed_are_ours():
    assert PRINTED_METRICS.keys() == METRICS.keys()
    assert set(PRINTED_METRICS.values()) == set(published("journal")["metric"])


@pytest.mark.parametrize(
    ("data", "network", "said"),
    [
        ({"name": "synthetic"}, "vgg_f", "Drawn faces: no row can be compared with a paper."),
        ({"name": "utkface"}, "vgg_f", "and its VGG-f: compare column by column."),
        ({"name": "utkface"}, "compact", "of the journal .* network .compact.: compare directions"),
        (
            {"name": "folder", "path": "faces.csv", "size": 48}, "vgg_f",
            "which no paper here has: no row can be compared.",
        ),
    ],
)  # fmt: skip
def test_comparability(data, network, said):
    recipe = make_recipe("gender", data=data, network={"name": network})
    assert re.search(said, comparability(recipe.experiments["gender"]))


def test_drawings_of_one_s_own_are_not_the_book_s(monkeypatch):
    own = replace(DATA_SETS["synthetic"], name="mine", title="my drawings", settings=DataSettings)
    monkeypatch.setitem(sys.modules, "my_faces", SimpleNamespace(DATA_SET=own))
    recipe = make_recipe("gender", data={"name": "my_faces:DATA_SET"})
    said = comparability(recipe.experiments["gender"])
    assert said == "The faces of my drawings, which no paper here has: no row can be compared."


def test_faces_of_two_papers():
    chosen = make_recipe("expression", network={"name": "vgg_face"}).experiments["expression"]
    assert comparability(chosen).startswith(
        "The faces of the journal and the ICPR paper (FER+) and"
    )
