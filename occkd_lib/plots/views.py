"""Views of a face: trained on one and tested on another; more and more of it hidden."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from occkd_lib.plots.style import PALETTE, WIDTH, canvas, label_rows
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

SIDES = {"top": "hidden from above", "bottom": "hidden from below"}


def view_matrix(table: pd.DataFrame, metric: Metric | str, *, title: str = "") -> Figure:
    """``results.views.by_view``: a row a stage, a column a view that it is tested on.

    Cells: the value and its 95 % interval; the darker the better. Framed: trained on that view, or
    on a mixture with it.
    """
    metric = metric_of(metric)
    stages, views = (list(dict.fromkeys(table[c])) for c in ("stage", "tested on"))
    extent = (max(4.6, 1.9 + 0.78 * len(views)), 1.0 + 0.5 * len(stages))
    values = metric.sign * table[metric.heading]
    shade = Normalize(values.min(), max(values.max(), values.min() + 1e-9))
    wide = table.pivot(index="stage", columns="tested on", values=metric.heading)
    wide = metric.sign * wide.loc[stages, views]
    names = table.drop_duplicates("stage").set_index("stage")["title"]
    with canvas(figsize=extent) as (figure, [[ax]]):
        ax.imshow(wide, cmap="Blues", norm=shade, aspect="auto")
        for row in table.to_dict("records"):
            x, y = views.index(row["tested on"]), stages.index(row["stage"])
            dark = shade(metric.sign * row[metric.heading]) > 0.6
            color = "white" if dark else "0.15"
            ax.text(x, y - 0.14, f"{row[metric.heading]:.1f}", ha="center", va="center",
                    fontsize=9, color=color)  # fmt: skip
            ax.text(x, y + 0.24, f"{row['low']:.0f} to {row['high']:.0f}", ha="center",
                    va="center", fontsize=6.5, color=color)  # fmt: skip
            if row["own"]:
                ax.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, fill=False,
                                       edgecolor=PALETTE[3], linewidth=1.6))  # fmt: skip
        ax.set_xticks(range(len(views)), views, rotation=35, ha="right", rotation_mode="anchor")
        label_rows(ax, [names[stage] for stage in stages])
        ax.tick_params(length=0)
        ax.set(xlabel="tested on", title=title or metric.heading)
    return figure


def hidden_curves(table: pd.DataFrame, metric: Metric | str) -> Figure:
    """``results.views.shares_hidden``: the metric over the hidden share, a panel a side.

    One line a stage, with 95 % intervals; rings where it was trained on that view, or on a mixture
    with it.
    """
    metric, stages = metric_of(metric), list(dict.fromkeys(table["stage"]))
    with canvas(1, 2, figsize=(WIDTH, 3.6), sharey=True) as (figure, (axes,)):
        for ax, (side, label) in zip(axes, SIDES.items(), strict=True):
            for n, stage in enumerate(stages):
                rows = table[(table["side"] == side) & (table["stage"] == stage)]
                if rows.empty:
                    continue
                x, y = rows["hidden"] + 0.5 * (n - len(stages) / 2), rows[metric.heading]
                errors = [y - rows["low"], rows["high"] - y]
                color = PALETTE[n % len(PALETTE)]
                ax.errorbar(x, y, errors, fmt="o-", color=color, capsize=2, markersize=4,
                            label=rows["title"].iloc[0])  # fmt: skip
                ax.plot(
                    x[rows["own"]],
                    y[rows["own"]],
                    "o",
                    color=color,
                    markersize=9,
                    markerfacecolor="none",
                )
            ax.set(xlabel=f"{label}, % of the height")
            ax.grid(True, axis="y")
        axes[0].set_ylabel(metric.heading)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
