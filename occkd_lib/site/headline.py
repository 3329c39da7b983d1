"""The headline tables of RESULTS.md, written from outputs/reference/<recipe>/summary.csv."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from occkd_lib.data import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.results.summary import OFFICIAL
from occkd_lib.results.text import p_text, with_interval
from occkd_lib.site.tables import markdown, write_text
from occkd_lib.tasks import Metric, task_of

END = "<!-- end of results -->"


def mark(recipe: str) -> str:
    """Where the table of a recipe begins."""
    return f"<!-- results: {recipe} -->"


def headline(summary: pd.DataFrame) -> str:
    """``main_results`` as a table of GitHub's."""
    return markdown(main_results(summary))


def main_results(summary: pd.DataFrame) -> pd.DataFrame:
    """A recipe's main metrics, as text; summary: as ``results.summary``, or read again.

    One row a method and view: the mean over seeds with its 95 % interval (seeds and test faces both
    random), and for distilled students the differences to the undistilled student and the control.
    Where several experiments have the same data and task, it says of which a row is.
    """
    lines, several = [], summary.groupby(["dataset", "task"])["experiment"].nunique()
    for row in summary[summary["subset"] == OFFICIAL].to_dict("records"):
        metric = task_of(row["task"]).metric
        if row["metric"] != metric.name:
            continue
        which = f" ({row['experiment']})" if several[row["dataset"], row["task"]] > 1 else ""
        value, low, high, sd = (metric.factor * row[name] for name in ("mean", "low", "high", "sd"))
        lines.append(
            {
                "task": f"{data_title(row['dataset'])}, {row['task']}{which}, {metric.heading}",
                "method": row["title"],
                "trained on": row["train_faces"],
                "tested on": row["test_faces"],
                "result": with_interval(value, low, high, sd=sd),
                "seeds": str(row["seeds"]),
                "vs student": difference(row, "student", metric),
                "vs control": difference(row, "control", metric),
                "command": row["command"],
            }
        )
    return pd.DataFrame(lines)


def data_title(name: str) -> str:
    """A data set in words; the name that a recipe gave it, where it gave one (``called``)."""
    try:
        return data_set(name).title.split(",")[0]  # the rest is how it was prepared
    except OcckdError:
        return name


def difference(row: dict, reference: str, metric: Metric) -> str:
    """'+0.42 (p 0.031; 3 of 5)': p by Holm's rule, better in 3 of 5 seeds; '' if not compared."""
    if pd.isna(row[f"vs_{reference}"]):
        return ""
    seeds = [float(value) for value in str(row[f"vs_{reference}_by_seed"]).split()]
    ahead = sum(metric.sign * value > 0 for value in seeds)
    more = f"; {ahead} of {len(seeds)}" if len(seeds) > 1 else ""
    p = p_text(row[f"p_vs_{reference}_holm"])
    return f"{metric.factor * row[f'vs_{reference}']:+.2f} (p {p}{more})"


def has_place(page: Path, recipe: str) -> bool:
    """Does a page have a place for the results of this recipe?"""
    return page.is_file() and mark(recipe) in page.read_text(encoding="utf-8")


def refresh(page: Path, recipe: str, summary: pd.DataFrame) -> str:
    """The page's text with the recipe's table renewed between its two marks."""
    start, text = mark(recipe), page.read_text(encoding="utf-8")
    block = re.compile(f"{re.escape(start)}.*?{re.escape(END)}", re.DOTALL)
    if not block.search(text):
        raise OcckdError(f"{page} has no place for the results: add the lines {start} and {END}")
    new = f"{start}\n{headline(summary)}{END}"
    return block.sub(lambda _: new, text, count=1)


def renew(page: Path, recipe: str, folder: Path) -> None:
    """Renew the table of a page from ``folder``/summary.csv."""
    path = folder / "summary.csv"
    summary = pd.read_csv(path)
    if "command" not in summary:
        raise OcckdError(f"{path} was written by another version of the library: write it again")
    write_text(page, refresh(page, recipe, summary))
