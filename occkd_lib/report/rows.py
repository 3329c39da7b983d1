"""One row of ``summary`` as text, and the published row that corresponds to it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from occkd_lib.report.evidence import METHODS, title
from occkd_lib.report.published import DATASETS, Cell, published_row
from occkd_lib.report.tables import OFFICIAL, p_text, with_interval

BUILT_IN = "built-in faces: not comparable with the papers"
NOT_PUBLISHED = "not in the paper"
COMPARED = tuple(
    column
    for name in ("student", "control")
    for p in [f"p vs {name}"]
    for column in (f"difference to {name}", p, f"{p} (Holm)", f"{p} (McNemar, by seed)")
)


def counterpart(row: dict, cells: pd.DataFrame) -> tuple[dict[str, Cell], str]:
    """The published row beside a row of ``summary``: network -> cell. If there is none, why."""
    dataset = DATASETS.get((row["dataset"], row["task"]))
    name = METHODS[row["method"]].published
    if dataset is None:
        return {}, BUILT_IN if row["dataset"] == "synthetic" else "data set not in the paper"
    if row["subset"] != OFFICIAL:
        return {}, "subset not in the paper"
    if name is None:
        return {}, NOT_PUBLISHED
    theirs = published_row(
        cells,
        dataset=dataset,
        method=name,
        train_faces=row["train_faces"],
        test_faces=row["test_faces"],
        metric=row["metric"],
    )
    return theirs, "" if theirs else NOT_PUBLISHED


def described(row: dict) -> dict[str, str]:
    return {
        "method": title(row["method"], years=row["task"] == "age"),
        "train faces": row["train_faces"],
        "test faces": row["test_faces"],
    }


def unit_of(row: dict) -> float:
    """From fractions to per cent; years stay years."""
    return 1.0 if row["metric"] == "mae_years" else 100.0


def measured(row: dict) -> dict[str, str]:
    """Mean ± SD over seeds, and the interval over test faces."""
    unit = unit_of(row)
    spread = "" if math.isnan(row["sd"]) else f" ± {unit * row['sd']:.2f}"
    return {
        "ours": f"{unit * row['mean']:.2f}{spread}",
        "95 % interval": f"[{unit * row['low']:.2f}, {unit * row['high']:.2f}]",
        "n": str(row["n"]),
        "seeds": str(row["seeds"]),
    }


def compared(row: dict) -> dict[str, str]:
    """The columns COMPARED: difference, p, Holm's p, each seed's McNemar p; or empty."""
    unit, texts = unit_of(row), []
    for reference in ("vs_student", "vs_control"):
        if math.isnan(row[reference]):
            texts += [""] * 4
            continue
        low, high = unit * row[f"{reference}_low"], unit * row[f"{reference}_high"]
        exact = row[f"p_{reference}_by_seed"]
        texts += [
            with_interval(unit * row[reference], low, high, sign="+"),
            p_text(row[f"p_{reference}"]),
            p_text(row[f"p_{reference}_holm"]),
            ", ".join(map(p_text, exact)) if len(exact) > 1 else "",  # one: it is p itself
        ]
    return dict(zip(COMPARED, texts, strict=True))


def as_cell(cell: dict[str, Any]) -> Cell:
    return Cell(cell["value"], cell["significant"], cell["note"])


def printed(cell: Cell | None) -> str:
    """A published value with its dagger; the paper's own dash, and nothing where it has no cell."""
    if cell is None:
        return ""
    return "-" if math.isnan(cell.value) else f"{cell.value:.2f}" + "†" * cell.significant


def minus(row: dict, cell: Cell | None) -> str:
    """Ours minus published, in points or years."""
    if cell is None or math.isnan(cell.value):
        return ""
    return f"{unit_of(row) * row['mean'] - cell.value:+.2f}"
