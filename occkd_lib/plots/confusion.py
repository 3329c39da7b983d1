"""What is taken for what: confusion matrices, and told against true quantities."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.plots.style import PALETTE, canvas
from occkd_lib.tasks import Task
from occkd_lib.tasks.metrics import Values, as_numpy

FEW = 5  # faces that have no typical answer


def agreement(
    tables: pd.DataFrame | Sequence[pd.DataFrame], name: str, task: Task, classes: Sequence[str]
) -> Figure:
    """What ``name`` says against the truth: a confusion matrix, or predicted against true values.

    tables: columns target and ``name``, one row a face (``Store.table``); of one seed, or of
    several, which all count.
    """
    table = tables if isinstance(tables, pd.DataFrame) else pd.concat(tables)
    target, said = table["target"].to_numpy(), table[name].to_numpy()
    if not task.continuous:
        return confusion_matrix(target, said, classes, title=name)
    unit = task.metric.unit
    top = 5 + max(target.max(), said.max())
    with canvas(figsize=(4.2, 4.2)) as (figure, [[ax]]):
        ax.plot([0, top], [0, top], color="0.6", linewidth=1)
        ax.scatter(target, said, s=12, alpha=0.4, linewidths=0, color=PALETTE[0])
        pairs = pd.DataFrame({"x": target, "y": said}).groupby(task.groups(target, classes)[0])
        middle = pairs.median()[pairs.size() >= FEW]
        ax.plot(middle["x"], middle["y"], "o-", color=PALETTE[1], label=f"median of ten {unit}")
        ax.set(xlabel=f"true {task.name}, {unit}", ylabel=f"predicted {task.name}, {unit}")
        ax.set(xlim=(0, top), ylim=(0, top), aspect="equal", title=fill(name, 36))
        ax.legend(loc="upper left")
    return figure


def confusion_matrix(
    target: Values, prediction: Values, classes: Sequence[str], *, title: str = ""
) -> Figure:
    """Rows: true class; cells: per cent of that row (colour) and number of faces."""
    import seaborn as sns  # a second, and few chapters need it

    t, p = as_numpy(target).astype(int), as_numpy(prediction).astype(int)
    k = len(classes)
    counts = np.bincount(t * k + p, minlength=k * k).reshape(k, k)
    sizes = counts.sum(1, keepdims=True)
    share = 100 * counts / np.maximum(sizes, 1)
    cells = zip(share.flat, counts.flat, strict=True)
    text = np.array([f"{s:.0f}\n({c})" if c else "" for s, c in cells]).reshape(k, k)
    names = [f"{name}  ({size})" for name, size in zip(classes, sizes[:, 0], strict=True)]
    side = 2.2 + 0.56 * k
    with canvas(figsize=(side + 0.6, side)) as (figure, [[ax]]):
        sns.heatmap(share, ax=ax, annot=text, fmt="", cmap="Blues", vmin=0, vmax=100, square=True,
                    linewidths=0.5, annot_kws={"size": 8}, xticklabels=classes, yticklabels=names,
                    cbar_kws={"label": "% of the true class", "shrink": 0.7})  # fmt: skip
        ax.set(xlabel="predicted", ylabel="true (faces)", title=fill(title, int(9 * side)))
        ax.tick_params(length=0)
        ax.tick_params(axis="y", rotation=0)
        ax.set_xticklabels(classes, rotation=45, ha="right", rotation_mode="anchor")
    return figure
