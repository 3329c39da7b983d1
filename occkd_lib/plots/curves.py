"""Curves: a metric over the values of a setting, over the share of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.plots.style import DASHES, PALETTE, WIDTH, canvas
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

MARKS = "osD^vPX*"
ALL, MODEST, ITSELF, OTHER, NOBODY = (PALETTE[k] for k in (0, 3, 2, 4, 1))
WHOSE: dict[str, tuple[str, Any, str, str]] = {  # stage: legend, who says it, how, mark
    "student": ("student, before step 3", "0.6", ":", "."),
    "control": ("control: as long, labels alone", "0.15", "--", "d"),
    "standard": ("{loss}, teacher of all labels", ALL, "-", "o"),
    "triplet": ("triplets, teacher of all labels", ALL, "--", "v"),
    "told_triplet": ("triplets by its word, teacher of all labels", ALL, ":", "<"),
    "hint": ("hints, teacher of all labels", ALL, "-.", "*"),
    "modest_standard": ("{loss}, modest teacher", MODEST, "-", "s"),
    "modest_triplet": ("triplets, modest teacher", MODEST, "--", "^"),
    "modest_told_triplet": ("triplets by its word, modest teacher", MODEST, ":", ">"),
    "modest_hint": ("hints, modest teacher", MODEST, "-.", "h"),
    "self_taught": ("{loss}, taught by itself", ITSELF, "-", "D"),
    "half_taught": ("{loss}, another half-face network", OTHER, "-", "P"),
    "pseudo_labels": ("pseudo-labels, no teacher", NOBODY, "-.", "X"),
}
NEITHER = ("student", "control")
NO_MORE = tuple(
    stage for stage, (_, color, *_) in WHOSE.items() if color in (MODEST, ITSELF, OTHER, NOBODY)
)
BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.24), "frameon": False}
CURVES = ((None, "low", "high"), ("difference", "difference low", "difference high"))


def setting_curves(sweeps: Mapping[str, pd.DataFrame], metric: Metric | str) -> Figure:
    """A metric over the values of a setting, one panel a sweep (``results.crossed_table.sweep``).

    Dots with 95 % intervals: test faces; rings: validation, by which a value may be chosen; the
    filled square is the recipe's own value, the dashed line the matched control. Logarithmic
    where the values span a decade.
    """
    metric = metric_of(metric)
    size = (WIDTH, 3.1)
    with canvas(1, len(sweeps), figsize=size, sharey=True) as (figure, (axes,)):
        for ax, (title, table) in zip(axes, sweeps.items(), strict=True):
            arms = table.drop(index="control", errors="ignore")
            x = arms.index.to_numpy(float)
            y, low, high = arms[[metric.heading, "low", "high"]].to_numpy(float).T
            ax.errorbar(x, y, [y - low, high - y], fmt="o-", color=PALETTE[0], capsize=3,
                        label="test, 95 % interval")  # fmt: skip
            own = arms["own"].to_numpy(bool)
            ax.plot(x[own], y[own], "s", color=PALETTE[3], zorder=3, label="the recipe's value")
            if arms["validation"].notna().all():
                ax.plot(x, arms["validation"].astype(float), "o--", mfc="none", color="0.5",
                        label="validation")  # fmt: skip
            if "control" in table.index:
                level = table.loc["control", metric.heading]
                ax.axhline(level, color=PALETTE[1], linestyle=":", label="control, test")
            if x.min() > 0 and x.max() >= 10 * x.min():
                ax.set_xscale("log")
            ax.set_xticks(x, [f"{value:g}" for value in x])
            ax.minorticks_off()
            ax.set(title=title, xlabel=table.index.name)
            ax.grid(True, axis="y")
        axes[0].set_ylabel(metric.heading)
        handles, labels = axes[0].get_legend_handles_labels()  # error bars come last: put first
        order = [len(labels) - 1, *range(len(labels) - 1)]
        figure.legend([handles[k] for k in order], [labels[k] for k in order],
                      loc="outside lower center", ncols=4)  # fmt: skip
    return figure


def label_curves(table: pd.DataFrame, metric: Metric | str) -> Figure:
    """``results.labels.by_share``: the metric over the share of labels, and below it the
    differences to the control, both with 95 % intervals; one line a stage.

    A column a situation: a teacher that saw all labels (and stages without a word of their own),
    and who knows no more labels than the student; those of NEITHER stand in both. Stages by the
    names of recipe ``few_labels`` have a colour for who teaches, a line for how, and a mark of
    their own; others have their title.
    """
    metric, stages = metric_of(metric), list(dict.fromkeys(table["stage"]))
    places = sorted(set(table["share"]))
    columns = {
        title: [s for s in stages if s in NEITHER or (s in NO_MORE) == rivals]
        for title, rivals in (("a teacher of all labels", False), ("nobody has more labels", True))
    }
    columns = {title: own for title, own in columns.items() if {*own} - {*NEITHER}} or columns
    size = WIDTH if len(columns) > 1 else 5.5, 6.6
    with canvas(2, len(columns), figsize=size, sharey="row", sharex=True) as (figure, axes):
        for (title, own), pair in zip(columns.items(), axes.T, strict=True):
            for n, stage in enumerate(own):
                rows = table[table["stage"] == stage]
                x = rows["share"] * 1.03 ** (n - len(own) / 2)
                how = whose(stage, rows["title"].iloc[0], stages.index(stage), metric)
                for ax, (value, low, high) in zip(pair, CURVES, strict=True):
                    y, least, most = (rows[c or metric.heading] for c in (value, low, high))
                    if y.notna().any():
                        ax.errorbar(x, y, [y - least, most - y], capsize=2, markersize=5, **how)
            pair[1].axhline(0, color="0.4", linestyle="--", linewidth=1)
            pair[0].set(title=title)
            pair[1].set(xscale="log", xlabel="labels, % of the training faces")
            pair[1].set_xticks(places, [f"{share:g}" for share in places])
            pair[1].legend(*pair[0].get_legend_handles_labels(), **BELOW)
            for ax in pair:
                ax.minorticks_off()
                ax.grid(True, axis="y")
        axes[0, 0].set(ylabel=metric.heading)
        axes[1, 0].set(ylabel=f"against the control, {metric.unit}")
    return figure


def whose(stage: str, title: str, place: int, metric: Metric) -> dict[str, Any]:
    """Label, colour, line and mark of a stage; place: among the stages, for one without a word."""
    loss = "soft targets" if metric.higher_is_better else "hints"  # what standard T-S stands for
    color, line = PALETTE[(5 + place) % len(PALETTE)], DASHES[place % len(DASHES)]
    words, color, line, mark = WHOSE.get(stage, (title, color, line, MARKS[place % len(MARKS)]))
    return {"label": words.format(loss=loss), "color": color, "linestyle": line, "marker": mark}
