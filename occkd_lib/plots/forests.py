"""Forests: values with their intervals, one a row, against a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from occkd_lib.methods import Row
from occkd_lib.occlusion import view_title
from occkd_lib.plots.style import (
    FAINT,
    PALETTE,
    SIGNIFICANT,
    WIDTH,
    Color,
    canvas,
    label_rows,
    told_apart,
)
from occkd_lib.results.differences import LEVEL
from occkd_lib.results.summary import OFFICIAL
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

BESIDE = 44  # characters of a label beside a forest
FAR = 6  # times the median reach of a table's intervals


def forest(
    labels: Iterable[str],
    values: pd.DataFrame,
    colors: Iterable[Color],
    xlabel: str,
    *,
    at: float = 0.0,
    title: str = "",
    limit: float = math.inf,
) -> Figure:
    """Values with their intervals, one a row, against the line ``at``.

    values: value, low, high. limit: a value further from the line would flatten the others; it is
    written at the edge. Long labels, title and ``xlabel`` are wrapped.
    """
    labels = [wrapped(str(label), BESIDE) for label in labels]
    xlabel, title = wrapped(xlabel, 90), wrapped(title, 84)
    lines = xlabel.count("\n") + bool(title) + sum(text.count("\n") for text in (title, *labels))
    with canvas(figsize=(WIDTH, 0.85 + 0.15 * lines + 0.34 * len(labels))) as (figure, [[ax]]):
        grow(ax, values, colors, at, limit)
        label_rows(ax, labels)
        figure.supxlabel(xlabel)
        if title:  # over the whole width, labels included
            figure.suptitle(title, x=0.01, ha="left")
    return figure


def grow(
    ax: Axes, values: pd.DataFrame, colors: Iterable[Color], at: float, limit: float = math.inf
) -> None:
    """The rows of a forest in these axes, from the top; see ``forest``."""
    ax.axvline(at, color="0.4", linewidth=1, linestyle="--")
    rows = zip(values.to_numpy(float), colors, strict=True)
    for y, ((value, low, high), color) in enumerate(rows):
        if abs(value - at) <= limit:
            draw(ax, y, value, low, high, color)
        elif value < at:
            ax.text(at - limit, y, f"← {value:+.1f}", ha="left", va="center", color=color)
        else:
            ax.text(at + limit, y, f"{value:+.1f} →", ha="right", va="center", color=color)
    if limit < math.inf:
        ax.set_xlim(at - limit, at + limit)
    ax.grid(True, axis="x")


def edge_of(values: pd.DataFrame) -> float:
    """Where a forest ends around zero, so that a few values far out do not flatten the others."""
    reach = values.abs().max(axis=1)
    return 1.15 * float(reach[reach <= FAR * reach.median()].max()) or math.inf  # all equal


def wrapped(text: str, width: int) -> str:
    """The lines of a text, each broken at so many characters."""
    return "\n".join(fill(line, width) for line in text.split("\n"))


def draw(ax: Axes, y: int, value: float, low: float, high: float, color: Color) -> None:
    """One value with its interval in row ``y``."""
    ax.plot([low, high], [y, y], color=color, linewidth=2.2)
    ax.plot(value, y, "o", color=color, markersize=7)


def blue(clear: pd.Series) -> list[Color]:
    """A colour a row: blue where it is told apart."""
    return [SIGNIFICANT if row else FAINT for row in clear]


def pairs(table: pd.DataFrame) -> list[str]:
    """What is compared with what, in two lines where one would be too long."""
    lines = table["method"] + "  \N{MINUS SIGN}  " + table["against"]
    apart = table["method"] + "\n\N{MINUS SIGN}  " + table["against"]
    return list(lines.where(lines.str.len() <= BESIDE, apart))


def better(metric: Metric, more: str = "more", less: str = "less") -> str:
    """Which sign is good, for a forest's label."""
    return f"{more if metric.higher_is_better else less} is better"


def difference_forest(table: pd.DataFrame, metric: Metric | str, *, title: str = "") -> Figure:
    """Rows of ``results.differences`` as dots with intervals around zero."""
    metric = metric_of(metric)
    values, colors = table[["difference", "low", "high"]], blue(table["p (Holm)"] < LEVEL)
    label = f"difference, {metric.unit} ({better(metric)}; blue: p (Holm) < {LEVEL})"
    return forest(pairs(table), values, colors, label, title=title)


def ablation_forest(table: pd.DataFrame, metric: Metric | str, *, title: str = "") -> Figure:
    """The differences of an ablation table to its first row; one far away stands at the edge."""
    metric, first, rows = metric_of(metric), table.index[0], table.iloc[1:]
    values = rows[["difference", "difference low", "difference high"]]
    limit = edge_of(values)
    label = f"{metric.unit} ({better(metric)}) against: {first}\nblue: p (Holm) < {LEVEL}"
    colors = blue(rows["p (Holm)"] < LEVEL)
    return forest(rows.index, values, colors, label, title=title, limit=limit)


def over_seeds_forest(table: pd.DataFrame, metric: Metric | str) -> Figure:
    """Each seed's difference (rings), their mean with its interval over seeds."""
    metric, clear = metric_of(metric), (table["low"] > 0) | (table["high"] < 0)
    figure = forest(
        pairs(table),
        table[["mean", "low", "high"]],
        blue(clear),
        f"difference, {metric.unit} ({better(metric)}); rings: seeds\n"
        "blue: the 95 % interval over seeds alone, one comparison at a time, leaves zero out",
    )
    for y, values in enumerate(table["values"]):
        figure.axes[0].plot(values, [y] * len(values), "o", mfc="none", mec="0.2", ms=5, mew=0.8)
    return figure


def attention_forest(
    table: pd.DataFrame, part: str = "visible part", *, chance: float = 50.0
) -> Figure:
    """Grad-CAM mass (``results.attention``) as dots with intervals, against the pixels' share.

    part: of the face, in words, where the mass lies; chance: per cent of the pixels that lie there.
    Orange: networks that see the full face.
    """
    colors = [PALETTE[sees == "full"] for sees in table["sees"]]
    label = f"Grad-CAM mass on the {part}, % (95 % interval over faces)"
    return forest(table.index, table[["mass, %", "low", "high"]], colors, label, at=chance)


def references(rows: Iterable[Row]) -> list[str]:
    """Names of the networks that other networks are compared with."""
    networks = [row for row in rows if row.name == row.stage]
    named = {name for row in networks for name in (row.student, row.control)}
    return list(dict.fromkeys(row.name for row in networks if row.name in named))


def results_forest(
    results: pd.DataFrame, rows: Mapping[tuple[str, str], Row], view: str, metric: Metric | str
) -> Figure:
    """Every row tested on one view, with 95 % interval and each seed, against dashed lines.

    results: lines of one experiment from ``results.summary``. rows: from ``stages.rows_of``. The
    lines are the networks that others are compared with: the undistilled student and the control
    (as much training, no teacher); what a teacher adds lies beyond the second. A row whose training
    never saw the view would flatten the others where it is far off; then an arrow stands for it.
    Raises ValueError unless the results are of one experiment and hold something on the view.
    """
    metric = metric_of(metric)
    found = results[(results["metric"] == metric.name) & (results["subset"] == OFFICIAL)]
    found = found[found["test_faces"] == view]
    if found["experiment"].nunique() != 1:
        raise ValueError(f"results must hold {metric.name!r} of one experiment, on {view!r}")
    drawn = found.assign(**metric.factor * found[["mean", "low", "high"]])
    drawn["values"] = [metric.factor * np.array(values) for values in found["values"]]
    saw_it = [view in rows[name, view].trained_on for name in drawn["row"]]
    near = drawn[saw_it] if any(saw_it) else drawn
    reach = np.array([*near["low"], *near["high"], *np.concatenate([*near["values"]])])
    left, right, span = reach.min(), reach.max(), np.ptp(reach)
    inside = drawn["mean"].between(left - span, right + span)
    left, right = min(left, drawn["low"][inside].min()), max(right, drawn["high"][inside].max())
    lines = references(rows.values())
    with canvas(figsize=(WIDTH, 0.9 + 0.36 * len(drawn))) as (figure, [[ax]]):
        if not inside.all():
            ax.set_xlim(left - 0.1 * span, right + 0.1 * span)
        for y, (line, is_inside) in enumerate(zip(drawn.to_dict("records"), inside, strict=True)):
            mean, color = line["mean"], PALETTE[rows[line["row"], view].color % len(PALETTE)]
            ax.annotate(f"{mean:.2f}", (1.01, y), xycoords=("axes fraction", "data"),
                        va="center", fontsize=9)  # fmt: skip
            if not is_inside:
                edge, arrow = (0.985, ">") if mean > right else (0.015, "<")
                across = ax.get_yaxis_transform()  # x in 0..1, y a row
                ax.plot(edge, y, arrow, transform=across, color=color)
                continue
            if line["row"] in lines:
                ax.axvline(mean, color=color, linewidth=1.2, linestyle="--", zorder=0)
            draw(ax, y, mean, line["low"], line["high"], color)
            if len(line["values"]) > 1:
                places = [y + 0.28] * len(line["values"])
                ax.plot(line["values"], places, "|", color=color, markersize=7, alpha=0.8)
        label_rows(ax, told_apart(dict(zip(drawn["row"], drawn["title"], strict=True))).values())
        ax.grid(True, axis="x")
        good = better(metric, "higher", "lower")
        seeds = "; ticks: seeds" if drawn["values"].map(len).max() > 1 else ""
        ax.set_xlabel(f"{metric.heading} ({good}; bars: 95 % interval{seeds})")
        name, n = drawn["experiment"].iloc[0], drawn["n"].iloc[0]
        ax.set_title(f"{name}: {view_title(view)} visible, n = {n:,}")
    return figure
