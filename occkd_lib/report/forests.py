"""Forests: values with their intervals, one a row, against a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.report.evidence import title
from occkd_lib.report.figures import PALETTE, WIDTH, canvas
from occkd_lib.report.tables import HEADINGS, OFFICIAL


class Dot(NamedTuple):
    """A row of ``forest``: a value and its interval."""

    label: str
    value: float
    low: float
    high: float
    color: Any


def forest(
    dots: Sequence[Dot], xlabel: str, *, at: float = 0.0, title: str = "", limit: float = math.inf
) -> Figure:
    """Values with their intervals, one a row, against the line ``at``.

    limit: a value further from the line would flatten the others; it is written at the edge.
    Long labels, title and ``xlabel`` are wrapped.
    """
    labels = [fill(dot.label, 44) for dot in dots]
    xlabel = "\n".join(fill(line, 90) for line in xlabel.split("\n"))
    title = fill(title, 84)
    lines = xlabel.count("\n") + bool(title) + sum(text.count("\n") for text in (title, *labels))
    with canvas(figsize=(WIDTH, 0.85 + 0.15 * lines + 0.34 * len(dots))) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(at, color="0.4", linewidth=1, linestyle="--")
        for y, (_, value, low, high, color) in enumerate(dots):
            if abs(value - at) > limit:
                left = value < at
                arrows = "\N{LEFTWARDS ARROW} {:+.1f}", "{:+.1f} \N{RIGHTWARDS ARROW}"
                text, side = arrows[not left].format(value), "left" if left else "right"
                edge = at - limit if left else at + limit
                ax.text(edge, y, text, ha=side, va="center", color=color)
                continue
            ax.plot([low, high], [y, y], color=color, linewidth=2.2)
            ax.plot(value, y, "o", color=color, markersize=7)
        ax.set_yticks(range(len(dots)), labels)
        ax.set(ylim=(len(dots) - 0.5, -0.5))
        figure.supxlabel(xlabel)
        if title:  # over the whole width, labels included
            figure.suptitle(title, x=0.01, ha="left")
        if limit < math.inf:
            ax.set_xlim(at - limit, at + limit)
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
    return figure


def wanted(difference: str) -> str:
    """Which sign of a difference in "points" or "years" is good, for a forest's label."""
    return "less is better" if difference == "years" else "more is better"


def results_forest(results: pd.DataFrame, *, metric: str = "accuracy") -> Figure:
    """Every method on the visible half, with 95 % interval and each seed, against two lines.

    results: rows of one experiment from ``tables.summary``. The lines are the undistilled student
    and the control (as much training, no teacher): what a teacher adds lies beyond the second.
    The teacher, which never saw a half face, would flatten the others where it is far off; then an
    arrow stands for it.
    """
    rows = results[(results["metric"] == metric) & (results["subset"] == OFFICIAL)]
    half = rows.loc[rows["method"] == "control", "test_faces"]
    if half.empty:
        half = rows.loc[rows["method"].str.startswith("student"), "test_faces"]
    if rows["experiment"].nunique() != 1 or half.empty:
        raise ValueError(f"results must hold one experiment with its student and {metric!r}")
    rows = rows[rows["test_faces"] == half.iloc[0]]
    unit = 1 if metric == "mae_years" else 100
    rest = rows[rows["method"] != "teacher"]
    reach = unit * np.array([*rest["low"], *rest["high"], *np.concatenate([*rest["values"]])])
    left, right, span = reach.min(), reach.max(), np.ptp(reach)
    with canvas(figsize=(WIDTH, 0.9 + 0.36 * len(rows))) as (figure, axes):
        ax = axes[0, 0]
        lines = {f"student_{half.iloc[0]}": PALETTE[1], "control": PALETTE[2]}
        for y, row in enumerate(rows.to_dict("records")):
            color = lines.get(row["method"], PALETTE[0])
            ax.annotate(f"{unit * row['mean']:.2f}", (1.01, y), xycoords=("axes fraction", "data"),
                        va="center", fontsize=9)  # fmt: skip
            if not left - span <= unit * row["mean"] <= right + span:
                ax.set_xlim(left - 0.1 * span, right + 0.1 * span)
                edge, arrow = (0.985, ">") if unit * row["mean"] > right else (0.015, "<")
                across = ax.get_yaxis_transform()  # x in 0..1, y a row
                ax.plot(edge, y, arrow, transform=across, color=color)
                continue
            if row["method"] in lines:
                ax.axvline(unit * row["mean"], color=color, linewidth=1.2, linestyle="--", zorder=0)
            ax.plot([unit * row["low"], unit * row["high"]], [y, y], color=color, linewidth=2.2)
            ax.plot(unit * row["mean"], y, "o", color=color, markersize=7)
            if row["seeds"] > 1:
                seeds = unit * np.array(row["values"])
                ax.plot(seeds, [y + 0.28] * len(seeds), "|", color=color, markersize=7, alpha=0.8)
        years = metric == "mae_years"
        ax.set_yticks(range(len(rows)), [title(method, years=years) for method in rows["method"]])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
        better = "lower is better" if years else "higher is better"
        ax.set_xlabel(f"{HEADINGS[metric]} ({better}; bars: 95 % interval over test faces)")
        ax.set_title(f"{rows['experiment'].iloc[0]}: {half.iloc[0]} half visible, "
                     f"n = {rows['n'].iloc[0]:,}")  # fmt: skip
    return figure
