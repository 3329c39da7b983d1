"""Figures: each function takes data and returns a matplotlib Figure, in one style.

A figure is closed for pyplot before it is returned: a notebook shows it once, a script without a
screen just saves it. Seaborn and scikit-learn are imported where they are used: every chapter needs
this file, few need them, and each takes a second.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from occkd_lib.evaluation import McNemar
from occkd_lib.evaluation.metrics import Values, as_numpy

WIDTH = 7.5  # inches; what a notebook shows without scaling
PALETTE = [  # seaborn's "colorblind"
    to_rgb(f"#{colour}")
    for colour in "0173b2 de8f05 029e73 d55e00 cc78bc ca9161 fbafe4 949494 ece133 56b4e9".split()
]
STYLE: dict[str, Any] = {
    "figure.dpi": 100, "savefig.dpi": 150, "savefig.bbox": "tight",
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "figure.titlesize": 11, "figure.titleweight": "bold", "figure.labelsize": 10,
    "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "legend.fontsize": 9, "legend.frameon": False,
    "axes.edgecolor": "0.4", "axes.linewidth": 0.8, "grid.color": "0.92", "grid.linewidth": 0.8,
}  # fmt: skip


@contextlib.contextmanager
def canvas(rows: int = 1, columns: int = 1, **how: Any) -> Iterator[tuple[Figure, Any]]:
    """Figure and axes (2-D array) in the book's style; pyplot forgets them at the end."""
    with plt.style.context(["seaborn-v0_8-ticks", STYLE]):
        figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained", **how)
        try:
            yield figure, axes
            for ax in axes.flat:
                ax.spines[["top", "right"]].set_visible(False)
        finally:
            plt.close(figure)


def show_image(ax: Axes, image: np.ndarray, title: str = "") -> None:
    """C x H x W uint8 on bare axes."""
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set_title(title, loc="center", fontsize=9, fontweight="normal", pad=3)
    ax.axis("off")


def image_grid(
    images: Values, titles: Sequence[str] | None = None, *, columns: int = 8, size: float = 1.0
) -> Figure:
    """Faces in a grid. images: N x C x H x W uint8 (C = 1 or 3); titles: N; size: inches a face."""
    faces = as_numpy(images)
    if faces.ndim != 4 or faces.dtype != np.uint8 or not len(faces):
        raise ValueError(f"images must be uint8 N x C x H x W, not {faces.dtype} {faces.shape}")
    titles = [""] * len(faces) if titles is None else titles
    columns = min(columns, len(faces))
    rows = math.ceil(len(faces) / columns)
    lines = max(title.count("\n") + 1 if title else 0 for title in titles)
    extent = (columns * size * 1.1, rows * (size * 1.1 + 0.17 * lines))
    with canvas(rows, columns, figsize=extent) as (figure, axes):
        for ax in axes.flat:
            ax.axis("off")
        for ax, image, title in zip(axes.flat, faces, titles, strict=False):
            show_image(ax, image, title)
    return figure


def triplet_strip(
    anchors: Values,
    positives: Values,
    negatives: Values,
    titles: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """Triplets, one a column: occluded anchor, positive (full face), occluded negative.

    anchors, positives, negatives: N x C x H x W uint8. titles: three rows of N captions.
    """
    names = ("anchor\n(student)", "positive\n(teacher)", "negative\n(student)")
    rows = [as_numpy(images) for images in (anchors, positives, negatives)]
    count = len(rows[0])
    extent = (0.9 + count * 1.15, 3 * (1.15 if titles is None else 1.35))
    with canvas(3, count, figsize=extent) as (figure, axes):
        for r, (images, name) in enumerate(zip(rows, names, strict=True)):
            for c in range(count):
                show_image(axes[r, c], images[c], titles[r][c] if titles is not None else "")
            axes[r, 0].text(
                -0.12, 0.5, name, transform=axes[r, 0].transAxes, ha="right", va="center",
                color=PALETTE[(0, 2, 3)[r]], fontweight="bold", fontsize=9,
            )  # fmt: skip
    return figure


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Training loss and validation metric by epoch, one line a stage (Run.history tables).

    The loss of a distilled student contains its distillation term: compare losses within a line
    only. A negative validation metric is an error in years (higher is better in the loop) and is
    shown positive; a data set without validation (AffectNet) has the loss alone.
    """
    validated = any(table["validation"].notna().any() for table in histories.values())
    years = all((table["validation"] <= 0).all() for table in histories.values())
    with canvas(1, 1 + validated, figsize=(WIDTH, 3.0)) as (figure, (axes,)):
        for color, (name, table) in zip(PALETTE, histories.items(), strict=False):
            epoch = table["epoch"] + 1
            metric = -table["validation"] if years else 100 * table["validation"]
            mark = "o" if len(table) <= 12 else ""
            style = {"label": name, "color": color, "marker": mark, "markersize": 3.5}
            axes[0].plot(epoch, table["loss"], **style)
            if validated:
                axes[1].plot(epoch, metric, **style)
        axes[0].set(title="Training loss", xlabel="epoch", yscale="log")
        axes[0].yaxis.set_major_formatter("{x:g}")
        losses = pd.concat([table["loss"] for table in histories.values()])
        if losses.max() < 10 * losses.min():  # else the labels would overlap
            axes[0].yaxis.set_minor_formatter("{x:g}")
        measured = "MAE, years" if years else "accuracy, %"
        if validated:
            axes[1].set(title=f"Validation {measured}", xlabel="epoch")
        for ax in axes:
            ax.grid(True)
            ax.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure


def metric_bars(
    values: Mapping[str, tuple[float, float, float]], *, label: str = "accuracy, %"
) -> Figure:
    """Horizontal bars: name -> (value, low, high), in the unit of ``label``, from zero."""
    names, table = list(values), np.array(list(values.values()), dtype=float)
    with canvas(figsize=(WIDTH, 0.7 + 0.38 * len(names))) as (figure, axes):
        ax = axes[0, 0]
        spread = np.abs(table[:, 1:].T - table[:, 0])
        ax.barh(names, table[:, 0], xerr=spread, color=PALETTE[0], alpha=0.85, height=0.6,
                error_kw={"ecolor": "0.25", "capsize": 3, "elinewidth": 1.2})  # fmt: skip
        for y, (value, _, high) in enumerate(table):
            ax.annotate(f"{value:.1f}", (high, y), xytext=(5, 0), textcoords="offset points",
                        va="center", fontsize=9)  # fmt: skip
        ax.invert_yaxis()
        ax.margins(x=0.1)
        ax.set(xlabel=f"{label} (95 % interval)", xlim=(0, None))
        ax.tick_params(axis="y", length=0)
    return figure


def confusion_matrix(
    target: Values, prediction: Values, classes: Sequence[str], *, title: str = ""
) -> Figure:
    """Rows: true class; cells: per cent of that row (colour) and number of faces."""
    import seaborn as sns

    t, p = as_numpy(target).astype(int), as_numpy(prediction).astype(int)
    k = len(classes)
    counts = np.bincount(t * k + p, minlength=k * k).reshape(k, k)
    sizes = counts.sum(1, keepdims=True)
    share = 100 * counts / np.maximum(sizes, 1)
    cells = zip(share.flat, counts.flat, strict=True)
    text = np.array([f"{s:.0f}\n({c})" if c else "" for s, c in cells]).reshape(k, k)
    names = [f"{name}  ({size})" for name, size in zip(classes, sizes[:, 0], strict=True)]
    side = 2.2 + 0.56 * k
    with canvas(figsize=(side + 0.6, side)) as (figure, axes):
        ax = axes[0, 0]
        sns.heatmap(share, ax=ax, annot=text, fmt="", cmap="Blues", vmin=0, vmax=100, square=True,
                    linewidths=0.5, annot_kws={"size": 8}, xticklabels=classes, yticklabels=names,
                    cbar_kws={"label": "% of the true class", "shrink": 0.7})  # fmt: skip
        ax.set(xlabel="predicted", ylabel="true (faces)", title=title)
        ax.tick_params(length=0)
        ax.tick_params(axis="y", rotation=0)
        ax.tick_params(axis="x", rotation=45)
        plt.setp(ax.get_xticklabels(), ha="right", rotation_mode="anchor")
    return figure


def recall_bars(
    recalls: Mapping[str, Mapping[int, float]],
    classes: Sequence[str],
    *,
    counts: Mapping[int, int] | None = None,
) -> Figure:
    """Recall per class (0..1), one bar a method: name -> class -> recall, as per_class_recall.

    counts: class -> faces, written under its name: a bar over 15 faces is a rough one.
    """
    shown = sorted(set().union(*recalls.values()))
    width = 0.8 / len(recalls)
    with canvas(figsize=(WIDTH, 3.2)) as (figure, axes):
        ax = axes[0, 0]
        for m, (name, values) in enumerate(recalls.items()):
            x = np.arange(len(shown)) + (m - (len(recalls) - 1) / 2) * width
            heights = [100 * values.get(c, 0) for c in shown]
            ax.bar(x, heights, width * 0.92, label=name, color=PALETTE[m])
        labels = [classes[c] + (f"\n({counts[c]:,})" if counts else "") for c in shown]
        ax.set_xticks(range(len(shown)), labels)
        ax.set(ylabel="recall, %", ylim=(0, 100))
        ax.tick_params(axis="x", length=0)
        ax.grid(True, axis="y")
        ax.set_axisbelow(True)
        figure.legend(loc="outside upper right", ncols=min(3, len(recalls)))
    return figure


def discordant_bars(tests: Mapping[str, McNemar], *, names: tuple[str, str] = ("a", "b")) -> Figure:
    """What McNemar's test looks at: faces that only one of two methods gets right.

    tests: label -> mcnemar_test(correct_a, correct_b); names: what a and b are called.
    """
    with canvas(figsize=(WIDTH, 0.9 + 0.42 * len(tests))) as (figure, axes):
        ax = axes[0, 0]
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
        ax.set_yticks(y, list(tests))
        ax.set(xlim=(-1.18 * reach, 1.18 * reach), xlabel="faces")
        ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        figure.legend(loc="outside upper right", ncols=2)
    return figure
