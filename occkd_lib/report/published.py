"""The papers' tables, cell by cell, with what is odd about them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import pandas as pd

NETWORKS = {"vgg_f": "VGG-f", "vgg_face": "VGG-face", "resnet50": "ResNet-50"}
DATASETS = {  # what a recipe calls it -> what the tables call it
    ("ferplus", "expression"): "FER+",
    ("affectnet", "expression"): "AffectNet",
    ("utkface", "gender"): "UTKFace-gender",
    ("utkface", "age"): "UTKFace-age",
}
UNITS = {"accuracy": "accuracy_pct", "weighted_accuracy": "weighted_accuracy_pct",
         "mae_years": "mae_years"}  # fmt: skip


class PublishedTable(NamedTuple):
    """A table to stand beside. stem: of the files it is written to. recipe: what repeats it.

    methods: those of ``evidence.METHODS`` that have a row in it, or stand there as its controls.
    """

    paper: str
    number: str
    title: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    stem: str
    recipe: str = "paper"


TRAINED = (
    "teacher",
    "student_lower",
    "student_upper",
    "control",
    "standard",
    "triplet",
    "control_svm",
    "standard+triplet",
)
FUSED = ("standard", "triplet", "control_svm", "standard_svm", "triplet_svm", "standard+triplet")
TABLES = {
    "1": PublishedTable("journal", "1", "Facial expression (the journal's Table 1)",
                        ("expression",), TRAINED, "table1"),
    "2": PublishedTable("journal", "2", "Gender (the journal's Table 2)",
                        ("gender",), TRAINED, "table2"),
    "3": PublishedTable("journal", "3", "Age (the journal's Table 3)",
                        ("age",), TRAINED, "table3"),
    "4": PublishedTable("journal", "4", "SVM on each embedding and on both (the journal's Table 4)",
                        ("expression", "gender"), FUSED, "table4"),
    "icpr": PublishedTable("icpr2020", "I", "Facial expression (Table I of the ICPR paper)",
                           ("expression",), TRAINED, "icpr-table1", "icpr2020"),
}  # fmt: skip


class Note(NamedTuple):
    """Something odd in a published table; ``cells``: column -> value of the cells it is about."""

    cells: dict[str, object]
    text: str


NOTES = (
    Note(
        {"paper": "journal", "table": "1", "metric": "weighted_accuracy_pct", "significant": True},
        "dagger on a weighted accuracy, which McNemar's test cannot test",
    ),
    Note(
        {"paper": "journal", "table": "1", "method": "standard_TS", "model": "ResNet-50",
         "metric": "weighted_accuracy_pct"},
        "59.19 with a dagger (significantly better) lies below its baseline 60.57",
    ),
    Note(
        {"paper": "journal", "table": "1", "method": "triplet_TS", "model": "ResNet-50",
         "dataset": "FER+", "metric": "accuracy_pct"},
        "81.28 lies below its own student, 81.79",
    ),
    Note(
        {"paper": "journal", "table": "1", "method": "student_no_distillation",
         "model": "VGG-face", "train_faces": "lower", "dataset": "FER+", "metric": "accuracy_pct"},
        "82.28 here, 81.28 in the ICPR paper; every other shared cell is identical. Keep both",
    ),
    Note(
        {"paper": "icpr2020", "table": "I", "method": "student_no_distillation",
         "model": "VGG-face", "train_faces": "lower", "dataset": "FER+"},
        "81.28 here, 82.28 in the journal; every other shared cell is identical. Keep both",
    ),
    Note(
        {"paper": "journal", "table": "1", "method": "triplet+standard_TS", "model": "VGG-face",
         "dataset": "FER+", "metric": "accuracy_pct"},
        "a dagger over 82.28 would need at most 51 discordant faces of 3,137",
    ),
    Note(
        {"paper": "journal", "table": "2", "method": "standard_TS"},
        "the text calls all three standard T-S results significant; only ResNet-50 has a dagger",
    ),
    Note(
        {"paper": "journal", "table": "3", "model": "ResNet-50", "method": "triplet_TS"},
        "1.07 years above its teacher's 5.27: Sect. 4.3.7 calls this gap lower-half, it is upper",
    ),
    Note(
        {"paper": "journal", "table": "3", "model": "ResNet-50", "method": "standard_TS"},
        "1.08 years above its teacher's 5.27, but Sect. 4.3.7 gives 1.07 as the largest gap",
    ),
    Note(
        {"paper": "journal", "table": "2", "model": "VGG-face", "method": "teacher",
         "test_faces": "full"},
        "1.40 above the 90.80 of [19], but the text says 'by at least 2%'",
    ),
    Note(
        {"paper": "journal", "table": "4", "model": "VGG-face", "dataset": "UTKFace-gender",
         "method": "triplet_TS+SVM"},
        "the text credits 90.27 with the tie with the ensemble (90.35); TS+SVM has it",
    ),
    *(
        Note(
            {"paper": "journal", "dataset": "AffectNet", "metric": "accuracy_pct", "value": value},
            f"{value} fits no count of 4,000 test faces, but one of 3,999",
        )
        for value in (49.71, 50.09, 47.01, 48.89)
    ),
)  # fmt: skip


def published(paper: str | None = None, table: str | int | None = None) -> pd.DataFrame:
    """The published results, one row a cell.

    paper: "journal", "icpr2020" or "emotional_education" (None: all). table: its number as printed
    ("1" or 1, "I" ...). Columns: paper, table, row_method, method (row_method without its
    reference), model, train_faces, test_faces (the visible half), dataset, metric, value (NaN
    where the paper has a dash; per cent or years, as the metric says), significant (the dagger),
    note (what is odd about the cell, else empty).
    """
    cells = everything()
    for column, wanted in (("paper", paper), ("table", table)):
        if wanted is not None:
            known = ", ".join(cells[column].unique())
            cells = cells[cells[column] == str(wanted)]
            if cells.empty:
                raise ValueError(f"no published {column} {wanted!r}; there are {known}")
    return cells.reset_index(drop=True)


@cache
def everything() -> pd.DataFrame:
    """All cells of all papers; read once."""
    folder = resources.files("occkd_lib.report") / "published"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".csv")), key=lambda f: f.name)
    parts = []
    for file in files:
        with file.open() as lines:
            parts.append(pd.read_csv(lines, dtype={"table": str}))
    cells = pd.concat(parts, ignore_index=True)
    cells["significant"] = cells["significant"].notna()
    cells.insert(3, "method", cells["row_method"].str.replace(r" \[\d+\]$", "", regex=True))
    cells["note"] = ""
    for note in NOTES:
        about = pd.Series(True, index=cells.index)
        for column, value in note.cells.items():
            about &= cells[column] == value
        earlier = cells.loc[about, "note"]
        cells.loc[about, "note"] = earlier.where(earlier == "", earlier + "; ") + note.text
    return cells


class Cell(NamedTuple):
    """A printed value (per cent or years), its dagger, and what is odd about it (or empty)."""

    value: float
    significant: bool
    note: str


def published_row(
    cells: pd.DataFrame,
    *,
    dataset: str,
    method: str,
    train_faces: str,
    test_faces: str,
    metric: str,
) -> dict[str, Cell]:
    """Network -> cell of one row of a published table; empty when there is none.

    cells: from ``published``. dataset, method: as printed there; metric: one of UNITS.
    """
    row = cells[
        (cells["dataset"] == dataset)
        & (cells["method"] == method)
        & (cells["train_faces"] == train_faces)
        & (cells["test_faces"] == test_faces)
        & (cells["metric"] == UNITS[metric])
        & cells["value"].notna()
    ]
    return {r.model: Cell(float(r.value), bool(r.significant), r.note) for r in row.itertuples()}


def published_table(table: int | str) -> PublishedTable:
    """The table called 1, 2, 3, 4 (of the journal) or "icpr"; ValueError for any other."""
    if str(table) not in TABLES:
        raise ValueError(f"no Table {table} to stand beside; one of {', '.join(TABLES)}")
    return TABLES[str(table)]


def disagreements() -> pd.DataFrame:
    """Cells that both papers print, with different values.

    Columns: method, model, train_faces, test_faces, dataset, metric, journal, icpr2020 (per cent).
    """
    cell = ["method", "model", "train_faces", "test_faces", "dataset", "metric"]
    ours, theirs = (published(p)[[*cell, "value"]].dropna() for p in ("journal", "icpr2020"))
    both = ours.merge(theirs, on=cell, suffixes=("_journal", "_icpr2020")).drop_duplicates()
    both = both.rename(columns={"value_journal": "journal", "value_icpr2020": "icpr2020"})
    return both[both["journal"] != both["icpr2020"]].reset_index(drop=True)
