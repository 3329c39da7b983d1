"""Figures: each function takes data and returns a matplotlib Figure, in one style.

A figure is closed for pyplot before it is returned: a notebook shows it once, a script without a
screen just saves it. Seaborn and scikit-learn are imported where they are used: every chapter needs
this file, few need them, and each takes a second.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from occkd_lib.evaluation import McNemar
from occkd_lib.evaluation.metrics import Values, as_numpy
from occkd_lib.report.evidence import METHODS
from occkd_lib.report.tables import HEADINGS, OFFICIAL

WIDTH = 7.5  # inches; what a notebook shows without scaling
PALETTE = [  # seaborn's "colorblind"
    to_rgb(f"#{colour}")
    for colour in "0173b2 de8f05 029e73 d55e00 cc78bc ca9161 fbafe4 949494 ece133 56b4e9".split()
]
STYLE: dict[str, Any] = {
    "figure.dpi": 100, "savefig.dpi": 150, "savefig.bbox": "tight",
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
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
    shown positive.
    """
    years = all((table["validation"] <= 0).all() for table in histories.values())
    with canvas(1, 2, figsize=(WIDTH, 3.0)) as (figure, (axes,)):
        for color, (name, table) in zip(PALETTE, histories.items(), strict=False):
            epoch = table["epoch"] + 1
            metric = -table["validation"] if years else 100 * table["validation"]
            mark = "o" if len(table) <= 12 else ""
            style = {"label": name, "color": color, "marker": mark, "markersize": 3.5}
            axes[0].plot(epoch, table["loss"], **style)
            axes[1].plot(epoch, metric, **style)
        axes[0].set(title="Training loss", xlabel="epoch", yscale="log")
        axes[0].yaxis.set_major_formatter("{x:g}")
        losses = pd.concat([table["loss"] for table in histories.values()])
        if losses.max() < 10 * losses.min():  # else the labels would overlap
            axes[0].yaxis.set_minor_formatter("{x:g}")
        measured = "MAE, years" if years else "accuracy, %"
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
    """
    lines = xlabel.count("\n") + bool(title)
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
        ax.set_yticks(range(len(dots)), [dot.label for dot in dots])
        ax.set(ylim=(len(dots) - 0.5, -0.5), xlabel=xlabel, title=title)
        if limit < math.inf:
            ax.set_xlim(at - limit, at + limit)
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
    return figure


def results_forest(results: pd.DataFrame, *, metric: str = "accuracy") -> Figure:
    """Every method on the visible half, with 95 % interval and each seed, against two lines.

    results: rows of one experiment from ``tables.summary``. The lines are the undistilled student
    and the control (as much training, no teacher): what a teacher adds lies beyond the second.
    """
    rows = results[(results["metric"] == metric) & (results["subset"] == OFFICIAL)]
    half = rows.loc[rows["method"] == "control", "test_faces"]
    if half.empty:
        half = rows.loc[rows["method"].str.startswith("student"), "test_faces"]
    if rows["experiment"].nunique() != 1 or half.empty:
        raise ValueError(f"results must hold one experiment with its student and {metric!r}")
    rows = rows[rows["test_faces"] == half.iloc[0]]
    unit = 1 if metric == "mae_years" else 100
    with canvas(figsize=(WIDTH, 0.9 + 0.36 * len(rows))) as (figure, axes):
        ax = axes[0, 0]
        lines = {f"student_{half.iloc[0]}": PALETTE[1], "control": PALETTE[2]}
        for y, row in enumerate(rows.to_dict("records")):
            color = lines.get(row["method"], PALETTE[0])
            if row["method"] in lines:
                ax.axvline(unit * row["mean"], color=color, linewidth=1.2, linestyle="--", zorder=0)
            ax.plot([unit * row["low"], unit * row["high"]], [y, y], color=color, linewidth=2.2)
            ax.plot(unit * row["mean"], y, "o", color=color, markersize=7)
            if row["seeds"] > 1:
                seeds = unit * np.array(row["values"])
                ax.plot(seeds, [y + 0.28] * len(seeds), "|", color=color, markersize=7, alpha=0.8)
            ax.annotate(f"{unit * row['mean']:.2f}", (1.01, y), xycoords=("axes fraction", "data"),
                        va="center", fontsize=9)  # fmt: skip
        regression = metric == "mae_years"
        titles = [METHODS[m].title for m in rows["method"]]
        ax.set_yticks(
            range(len(rows)), [t.replace("SVM", "SVR") if regression else t for t in titles]
        )
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
        better = "lower is better" if regression else "higher is better"
        ax.set_xlabel(f"{HEADINGS[metric]} ({better}; bars: 95 % interval over test faces)")
        ax.set_title(f"{rows['experiment'].iloc[0]}: {half.iloc[0]} half visible, "
                     f"n = {rows['n'].iloc[0]:,}")  # fmt: skip
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


def embedding_map(
    embeddings: Values,
    targets: Values,
    *,
    classes: Sequence[str] | None = None,
    method: str = "tsne",
    seed: int = 0,
    title: str = "",
    label: str = "age, years",
) -> Figure:
    """One panel of ``embedding_maps``."""
    return embedding_maps(
        {title: embeddings}, targets, classes=classes, method=method, seed=seed, label=label
    )


def embedding_maps(
    panels: Mapping[str, Values],
    targets: Values,
    *,
    classes: Sequence[str] | None = None,
    method: str = "tsne",
    seed: int = 0,
    label: str = "age, years",
) -> Figure:
    """Embeddings in the plane, by t-SNE or "pca"; coloured by class, or by a quantity.

    panels: title -> N x D, of the same N faces in every panel (D may differ). targets: N. classes:
    names of the classes in targets; None for a quantity, called ``label``. Distances between
    t-SNE's clusters mean nothing, nor does where a panel puts them; neighbourhoods do.
    """
    values = as_numpy(targets)
    if any(len(points) != len(values) for points in panels.values()):
        raise ValueError(f"every panel must hold the {len(values)} faces of targets")
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (6.5, 5.0) if columns == 1 else (WIDTH + 1, 3.7 * rows)
    with canvas(rows, columns, figsize=size) as (figure, axes):
        dots = {"s": 12 if columns == 1 else 7, "alpha": 0.75, "linewidths": 0}
        for ax, (title, embeddings) in zip(axes.flat, panels.items(), strict=False):
            points = in_the_plane(embeddings, method, seed)
            if classes is None:
                drawn = ax.scatter(*points.T, c=values, cmap="viridis", **dots)
            else:
                for c in np.unique(values).astype(int):
                    ax.scatter(*points[values == c].T, color=PALETTE[c], label=classes[c], **dots)
            ax.set(xticks=[], yticks=[], title=title)
            ax.set_aspect("equal", adjustable="datalim")  # all panels of one size
        for ax in axes.flat[len(panels) :]:
            ax.axis("off")
        figure.supxlabel("t-SNE" if method == "tsne" else "first two principal components")
        if classes is None:
            bar = figure.colorbar(drawn, ax=axes, label=label, shrink=0.7)
            cast(Any, bar.solids).set_alpha(1)
        else:
            entries = axes.flat[0].get_legend_handles_labels()
            figure.legend(*entries, loc="outside right center", markerscale=2)
    return figure


def in_the_plane(embeddings: Values, method: str, seed: int) -> np.ndarray:
    """N x D to N x 2, by "tsne" (after 50 principal components) or "pca"."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    points = as_numpy(embeddings).astype(np.float32)
    if method not in ("tsne", "pca"):
        raise ValueError(f"unknown method {method!r}; one of tsne, pca")
    if method == "pca" or points.shape[1] > 50:  # the usual first step of t-SNE, and far faster
        kept = 2 if method == "pca" else min(50, len(points))
        points = PCA(kept, random_state=seed).fit_transform(points)
    if method == "pca":
        return points
    perplexity = min(30.0, (len(points) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    return tsne.fit_transform(points)


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
