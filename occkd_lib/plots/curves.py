"""Learning curves."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.plots.style import WIDTH, canvas, colored, dashes
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of


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
