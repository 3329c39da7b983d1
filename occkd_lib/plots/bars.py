"""Bars: metrics, groups of faces, discordant faces, shares of the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from occkd_lib.evaluation import McNemar
from occkd_lib.plots.style import PALETTE, WIDTH, canvas, colored, label_rows
from occkd_lib.tasks import Task


def score_bars(scores: pd.DataFrame) -> Figure:
    """``results.scores`` as horizontal bars from zero.

    Columns: the metric, called by its heading; low; high; more, which are not drawn.
    """
    table = scores.iloc[:, :3].to_numpy(dtype=float)
    with canvas(figsize=(WIDTH, 0.7 + 0.38 * len(table))) as (figure, [[ax]]):
        spread = np.abs(table[:, 1:].T - table[:, 0])
        errors = {"ecolor": "0.25", "capsize": 3, "elinewidth": 1.2}
        bars = ax.barh(range(len(table)), table[:, 0], xerr=spread, color=PALETTE[0], alpha=0.85,
                       height=0.6, error_kw=errors)  # fmt: skip
        ax.bar_label(bars, fmt="{:.1f}", padding=5, fontsize=9)
        label_rows(ax, scores.index)
        ax.margins(x=0.1)
        ax.set(xlabel=f"{scores.columns[0]} (95 % interval)", xlim=(0, None))
    return figure


def by_group(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    names: Sequence[str],
    task: Task,
    classes: Sequence[str],
    *,
    colors: Mapping[str, int] | None = None,
) -> Figure:
    """Recall of every class, or mean error of every band of a quantity, name beside name.

    tables: columns target and ``names``, one row a face (``Store.table``); of one seed or of
    several, which are averaged. The faces of a group stand under its name: a bar over 15 of them
    is a rough one. colors: name -> place in the palette.
    """
    seeds = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    target = seeds[0]["target"].to_numpy()
    group, titles = task.groups(target, classes)
    present, sizes = np.unique(group, return_counts=True)
    shades = colored(names, colors)
    faces = {
        name: np.mean([task.metric.per_face(target, t[name].to_numpy()) for t in seeds], axis=0)
        for name in names
    }
    means = task.metric.factor * pd.DataFrame(faces).groupby(group).mean()
    means.index = [f"{titles[g]}\n({n:,})" for g, n in zip(present, sizes, strict=True)]
    with canvas(figsize=(WIDTH, 3.2)) as (figure, [[ax]]):
        means.plot.bar(ax=ax, width=0.8, rot=0, color=shades, edgecolor="white", legend=False)
        if task.continuous:
            ax.set(xlabel=f"{task.name} (faces)", ylabel=task.metric.heading)
        else:
            ax.set(ylabel="recall, %", ylim=(0, 100))
        ax.tick_params(axis="x", length=0)
        ax.grid(True, axis="y")
        ax.set_axisbelow(True)
        figure.legend(loc="outside upper right", ncols=min(3, len(names)))
    return figure


def discordant_bars(tests: Mapping[str, McNemar], *, names: tuple[str, str] = ("a", "b")) -> Figure:
    """What McNemar's test looks at: faces that only one of two methods gets right.

    tests: label -> mcnemar_test(correct_a, correct_b); names: what a and b are called.
    """
    with canvas(figsize=(WIDTH, 0.9 + 0.42 * len(tests))) as (figure, [[ax]]):
        y = np.arange(len(tests))
        a, b = ([getattr(t, side) for t in tests.values()] for side in ("only_a", "only_b"))
        ax.barh(y, a, color=PALETTE[0], height=0.6, label=f"only {names[0]} is right")
        ax.barh(y, [-v for v in b], color=PALETTE[1], height=0.6, label=f"only {names[1]} is right")
        reach = max(1, *a, *b)
        for row, test in zip(y, tests.values(), strict=True):
            for value, side, align in ((test.only_a, 1, "left"), (test.only_b, -1, "right")):
                ax.annotate(f"{value}", (side * value, row), xytext=(4 * side, 0), fontsize=9,
                            textcoords="offset points", ha=align, va="center")  # fmt: skip
            p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
            ax.annotate(p, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        ax.axvline(0, color="0.3", linewidth=0.8)
        label_rows(ax, tests)
        ax.set(xlim=(-1.18 * reach, 1.18 * reach), xlabel="faces")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        figure.legend(loc="outside upper right", ncols=2)
    return figure


def shares(counts: pd.DataFrame) -> Figure:
    """Per cent of each split that a class or band makes up; counts: ``verify.check(...).counts``.

    counts: faces, one row a class, one column a split.
    """
    table = 100 * counts / counts.sum()
    with canvas(figsize=(WIDTH, 2.8)) as (figure, [[ax]]):
        table.plot.bar(ax=ax, width=0.8, rot=0, color=PALETTE[: table.shape[1]], legend=False)
        ax.set(xlabel="", ylabel="% of the split")
        ax.tick_params(axis="x", length=0)
        figure.legend(loc="outside upper right", ncols=table.shape[1])
    return figure
