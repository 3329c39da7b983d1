"""The headline tables of the README, written from outputs/reference/<recipe>/summary.csv."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from occkd_lib.errors import OcckdError
from occkd_lib.project import write_atomically
from occkd_lib.report.evidence import title
from occkd_lib.report.tables import HEADINGS, OFFICIAL, p_text, with_interval

TITLES = {
    ("ferplus", "expression"): "FER+, expression",
    ("affectnet", "expression"): "AffectNet, expression",
    ("rafdb", "expression"): "RAF-DB, expression",
    ("utkface", "gender"): "UTKFace, gender",
    ("utkface", "age"): "UTKFace, age",
    ("synthetic", "expression"): "built-in faces, expression",
    ("synthetic", "gender"): "built-in faces, gender",
    ("synthetic", "age"): "built-in faces, age",
}


def headline(summary: pd.DataFrame) -> str:
    """A GitHub table of a recipe's main metrics; summary as ``tables.summary`` has it.

    One row a method and view: the mean over seeds with its 95 % interval over test faces, and for
    distilled students the differences to the undistilled student and to the control.
    """
    lines = [
        "| task | method | trained on | tested on | result | seeds | vs student | vs control |",
        "|---|---|---|---|---|---|---|---|",
    ]
    main = summary[(summary["subset"] == OFFICIAL) & (summary["metric"] != "weighted_accuracy")]
    for row in main.to_dict("records"):
        unit = 1.0 if row["metric"] == "mae_years" else 100.0
        value = with_interval(
            unit * row["mean"], unit * row["low"], unit * row["high"], sd=unit * row["sd"]
        )
        cells = [
            f"{TITLES[row['dataset'], row['task']]}, {HEADINGS[row['metric']]}",
            title(row["method"], years=row["metric"] == "mae_years"),
            row["train_faces"],
            row["test_faces"],
            value,
            str(row["seeds"]),
            difference(row, "student", unit),
            difference(row, "control", unit),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference(row: dict, reference: str, unit: float) -> str:
    """'+0.42 (p 0.031; 3 of 5)': p by Holm's rule, better in 3 of 5 seeds; '' if not compared."""
    if pd.isna(row[f"vs_{reference}"]):
        return ""
    seeds = [float(value) for value in str(row[f"vs_{reference}_by_seed"]).split()]
    ahead = sum(value < 0 if unit == 1 else value > 0 for value in seeds)
    more = f"; {ahead} of {len(seeds)}" if len(seeds) > 1 else ""
    p = p_text(row[f"p_vs_{reference}_holm"])
    return f"{unit * row[f'vs_{reference}']:+.2f} (p {p}{more})"


def has_place(readme: Path, recipe: str) -> bool:
    """Has the README a table of this recipe's results?"""
    return readme.is_file() and f"<!-- results: {recipe} -->" in readme.read_text(encoding="utf-8")


def refresh(readme: Path, recipe: str, summary: pd.DataFrame) -> str:
    """The README's text with the recipe's table renewed between its two marks."""
    start, end = f"<!-- results: {recipe} -->", "<!-- end of results -->"
    text = readme.read_text(encoding="utf-8")
    block = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not block.search(text):
        raise OcckdError(f"{readme} has no place for the results: add the lines {start} and {end}")
    new = f"{start}\n{headline(summary)}\n{end}"
    return block.sub(lambda _: new, text, count=1)


def update_readme(readme: Path, recipe: str, folder: Path) -> None:
    """Renew the README's table from ``folder``/summary.csv."""
    text = refresh(readme, recipe, pd.read_csv(folder / "summary.csv"))
    write_atomically(readme, lambda aside: aside.write_text(text, encoding="utf-8"))
