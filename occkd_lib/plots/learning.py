"""Learning by epoch: losses and validation, one line a network, few lines a panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from occkd_lib.plots.style import DASHES, PALETTE, WIDTH, canvas, colored, dashes
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

Histories = Mapping[str, pd.DataFrame]

TOGETHER = 6  # lines that can be told apart in one panel
REST = 1e-6  # of a loss that is the task loss alone, rounding is left
FEW_EPOCHS = 12  # as many get a dot each
TITLES = {
    "loss": "Training loss",
    "task": "Task loss",
    "rest": "All else, weighted",
}


def learning_curves(
    histories: Histories,
    metric: Metric | str,
    *,
    colors: Mapping[str, int] | None = None,
    starts: Mapping[str, str | None] | None = None,
) -> Figure:
    """Training loss and validation metric by epoch, one line a name (Run.history tables).

    Where all histories have it, the task loss stands alone, and beside it what else the loss holds
    (distillation, coarse labels), as it is weighted; else the loss of a distilled student contains
    its distillation term: compare losses within a line only. More than six lines are spread over
    rows of panels; the others are grey there. A data set without validation has no such panel.

    metric: what was validated (a history holds ``metric.sign`` times its value). colors: name ->
    place in the palette, for up to six lines. starts: name -> whose chosen weights it began with;
    its epochs are counted on from that one's last, if that one is drawn (a thin line between).
    """
    metric, names = metric_of(metric), list(histories)
    before = epochs_before(histories, starts or {})
    columns = columns_of(histories, metric)
    groups = np.array_split(np.arange(len(names)), -(-len(names) // TOGETHER))
    how = {"figsize": (WIDTH, 0.5 + 2.4 * len(groups)), "sharey": "col", "sharex": True}
    with canvas(len(groups), len(columns), **how) as (figure, axes):
        for row, places in zip(axes, groups, strict=True):
            styles = styles_of([names[k] for k in places], None if len(groups) > 1 else colors)
            for ax, column in zip(row, columns, strict=True):
                for name in names:
                    style = styles.get(name, {"color": "0.85", "linewidth": 0.9, "zorder": 0})
                    line(ax, histories[name], column, before[name], metric, style)
                for begun in {before[name] for name in styles} - {0}:
                    ax.axvline(begun + 0.5, color="0.8", linewidth=0.8, zorder=0)
                dressed(ax, column, [histories[name] for name in names])
            handles, labels = row[0].get_legend_handles_labels()
            if len(groups) > 1:
                row[-1].legend(handles, labels, loc="upper left", bbox_to_anchor=(1.02, 1.02))
            else:
                figure.legend(handles, labels, loc="outside right center")
        for ax, (_, title) in zip(axes[0], columns.items(), strict=True):
            ax.set_title(title)
        for ax in axes[-1]:
            ax.set_xlabel("epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def columns_of(histories: Histories, metric: Metric) -> dict[str, str]:
    """Column of the histories -> title of its panels."""
    tables = list(histories.values())
    apart = all("rest" in t and t["rest"].notna().all() for t in tables)
    apart = apart and any((t["rest"].abs() > REST).any() for t in tables)
    found = {column: TITLES[column] for column in (("task", "rest") if apart else ("loss",))}
    if any(table["validation"].notna().any() for table in tables):
        found["validation"] = f"Validation {metric.short},{metric.mark}"
    return found


def epochs_before(histories: Histories, starts: Mapping[str, str | None]) -> dict[str, int]:
    """name -> epochs of those that it goes on from, as far as they are there."""

    def of(name: str) -> Iterator[int]:
        start = starts.get(name)
        if start is not None and start in histories and start != name:
            yield len(histories[start])
            yield from of(start)

    return {name: sum(of(name)) for name in histories}


def styles_of(names: list[str], colors: Mapping[str, int] | None) -> dict[str, dict[str, Any]]:
    """A style a name. Without ``colors`` each has a colour and, for print, dashes of its own."""
    if colors is None:
        strokes = [DASHES[k % len(DASHES)] for k in range(len(names))]
        shades = {name: PALETTE[k % len(PALETTE)] for k, name in enumerate(names)}
    else:
        shades = colored(names, colors)
        strokes = dashes(shades.values())
    return {
        name: {"label": name, "color": shades[name], "linestyle": dash, "markersize": 3.5}
        for name, dash in zip(names, strokes, strict=True)
    }


def line(
    ax: Axes, table: pd.DataFrame, column: str, before: int, metric: Metric, style: dict[str, Any]
) -> None:
    """One network's line in one panel; nothing for what is the task loss alone."""
    values = table[column]
    if column == "rest" and not (values.abs() > REST).any():
        return
    if column == "validation":
        values = metric.sign * metric.factor * values
    marker = "o" if len(table) <= FEW_EPOCHS and "label" in style else ""
    ax.plot(table["epoch"] + 1 + before, values, marker=marker, **style)


def dressed(ax: Axes, column: str, tables: list[pd.DataFrame]) -> None:
    """Scale and grid of a panel; a loss is logarithmic where it can be."""
    ax.grid(True)
    if column == "validation":
        return
    losses = pd.concat([table[column] for table in tables])
    losses = losses[losses.abs() > REST]
    if (losses > 0).all():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        if losses.max() < 10 * losses.min():  # else the labels would overlap
            ax.yaxis.set_minor_formatter("{x:g}")
