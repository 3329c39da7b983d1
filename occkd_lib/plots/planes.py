"""Embeddings in the plane. scikit-learn is imported where it is used, it takes a second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure

from occkd_lib.plots.style import PALETTE, WIDTH, canvas
from occkd_lib.tasks import Task
from occkd_lib.tasks.metrics import Values, as_numpy


def embedding_maps(
    panels: Mapping[str, Values],
    targets: Values,
    task: Task,
    classes: Sequence[str],
    *,
    seed: int = 0,
) -> Figure:
    """Embeddings in the plane, by t-SNE; coloured by class, or by a quantity.

    panels: title -> N x D, of the same N faces in every panel (D may differ). targets: N. classes:
    their names, () for a quantity. Distances between t-SNE's clusters mean nothing, nor does where
    a panel puts them; neighbourhoods do. Two panels stand side by side, of five or more three.
    """
    values = as_numpy(targets)
    if any(len(points) != len(values) for points in panels.values()):
        raise ValueError(f"every panel must hold the {len(values)} faces of targets")
    columns = min(2 if len(panels) < 5 else 3, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (6.5, 5.0) if columns == 1 else (WIDTH + 1, (4.7 - 0.5 * columns) * rows)
    with canvas(rows, columns, figsize=size) as (figure, axes):
        dots = {"s": (12, 7, 5)[columns - 1], "alpha": 0.75, "linewidths": 0}
        for ax, (title, embeddings) in zip(axes.flat, panels.items(), strict=False):
            points = in_the_plane(embeddings, seed)
            if task.continuous:
                drawn = ax.scatter(*points.T, c=values, cmap="viridis", **dots)
            else:
                for c in np.unique(values).astype(int):
                    color = PALETTE[c % len(PALETTE)]
                    ax.scatter(*points[values == c].T, color=color, label=classes[c], **dots)
            ax.set(xticks=[], yticks=[], title=title)
            ax.set_aspect("equal", adjustable="datalim")  # all panels of one size
        for ax in axes.flat[len(panels) :]:
            ax.axis("off")
        figure.supxlabel("t-SNE")
        if task.continuous:
            label = f"{task.name}, {task.metric.unit}"
            bar = figure.colorbar(drawn, ax=axes, label=label, shrink=0.7)
            cast(Any, bar.solids).set_alpha(1)
        else:
            entries = axes.flat[0].get_legend_handles_labels()
            figure.legend(*entries, loc="outside right center", markerscale=2)
    return figure


def in_the_plane(embeddings: Values, seed: int) -> np.ndarray:
    """N x D to N x 2, by t-SNE of the first 50 principal components (its usual first step)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    points = as_numpy(embeddings).astype(np.float32)
    if points.shape[1] > 50:
        points = PCA(min(50, len(points)), random_state=seed).fit_transform(points)
    perplexity = min(30.0, (len(points) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=300, random_state=seed)
    return tsne.fit_transform(points)
