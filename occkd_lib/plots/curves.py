"""Curves: learning by epoch, a metric over the values of a setting."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.plots.style import PALETTE, WIDTH, canvas, colored, dashes
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

CURVES = ((None, "low", "high"), ("difference", "difference low", "difference high"))


def learning_curves(
    histories: Mapping[str, pd.DataFrame],
    metric: Metric | str,
    *,
    colors: Mapping[str, int] | None = None,
) -> Figure:
    """Training loss and validation metric by epoch, one line a name (Run.history tables).

    The loss of a distilled student contains its distillation term: compare losses within a line
    only. metric: what was validated (a history holds ``metric.sign`` times its value). A data set
    without validation has the loss alone. colors: name -> place in the palette.
    """
    metric = metric_of(metric)
    validated = any(table["validation"].notna().any() for table in histories.values())
    shades = colored(histories, colors)
    with canvas(1, 1 + validated, figsize=(WIDTH, 3.0)) as (figure, (axes,)):
        for (name, table), dash in zip(histories.items(), dashes(shades.values()), strict=True):
            style = {
                "label": name, "color": shades[name], "linestyle": dash,
                "marker": "o" if len(table) <= 12 else "", "markersize": 3.5,
            }  # fmt: skip
            axes[0].plot(table["epoch"] + 1, table["loss"], **style)
            if validated:
                values = metric.sign * metric.factor * table["validation"]
                axes[1].plot(table["epoch"] + 1, values, **style)
        axes[0].set(title="Training loss", xlabel="epoch", yscale="log")
        axes[0].yaxis.set_major_formatter("{x:g}")
        losses = pd.concat([table["loss"] for table in histories.values()])
        if losses.max() < 10 * losses.min():  # else the labels would overlap
            axes[0].yaxis.set_minor_formatter("{x:g}")
        if validated:
            axes[1].set(title=f"Validation {metric.short},{metric.mark}", xlabel="epoch")
        for ax in axes:
            ax.grid(True)
            ax.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure


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
    """``results.labels.by_share``: the metric over the share of labels, and the differences to the
    control, both with 95 % intervals; one line a stage."""
    metric, stages = metric_of(metric), list(dict.fromkeys(table["stage"]))
    places = sorted(set(table["share"]))
    with canvas(1, 2, figsize=(WIDTH, 3.6)) as (figure, (axes,)):
        for n, stage in enumerate(stages):
            rows = table[table["stage"] == stage]
            color, x = PALETTE[n % len(PALETTE)], rows["share"] * 1.03 ** (n - len(stages) / 2)
            title = rows["title"].iloc[0]
            for ax, (value, low, high) in zip(axes, CURVES, strict=True):
                y, least, most = (rows[c or metric.heading] for c in (value, low, high))
                if y.notna().any():
                    ax.errorbar(x, y, [y - least, most - y], fmt="o-", color=color, capsize=2,
                                markersize=4, label=title)  # fmt: skip
        axes[1].axhline(0, color="0.4", linestyle="--", linewidth=1)
        axes[0].set(ylabel=metric.heading)
        axes[1].set(ylabel=f"against the control, {metric.unit}")
        for ax in axes:
            ax.set(xscale="log", xlabel="labels, % of the training faces")
            ax.set_xticks(places, [f"{share:g}" for share in places])
            ax.minorticks_off()
            ax.grid(True, axis="y")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
