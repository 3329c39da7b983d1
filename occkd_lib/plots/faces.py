"""Faces: grids of them, triplets, and what a network looks at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from occkd_lib.data import FaceSet
from occkd_lib.occlusion import view_title, visible_pixels
from occkd_lib.plots.style import PALETTE, canvas
from occkd_lib.tasks import task_of
from occkd_lib.tasks.metrics import Values, as_numpy

if TYPE_CHECKING:  # grad-cam takes seconds
    from occkd_lib.results.attention import Explanation

MAP_COLORS = "inferno"


def show_image(ax: Axes, image: np.ndarray, title: str = "") -> None:
    """C x H x W uint8 on bare axes."""
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set_title(title, loc="center", fontsize=9, fontweight="normal", pad=3)
    ax.axis("off")


def show_row(
    axes: np.ndarray,
    name: str,
    images: Iterable[Values],
    titles: Sequence[str] | None = None,
    **how: Any,
) -> None:
    """One image (C x H x W) an axis, and the row's name to the left of the first."""
    for ax, image, title in zip(axes, images, titles or [""] * len(axes), strict=True):
        show_image(ax, as_numpy(image), title)
    place = {"transform": axes[0].transAxes, "ha": "right", "va": "center", "fontsize": 9}
    axes[0].text(-0.12, 0.5, name, **place, **how)


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


def contact_sheet(faces: FaceSet, *, each: int = 8) -> Figure:
    """The first ``each`` faces of every class, or band of a quantity, one row a class."""
    group, titles = task_of(faces.task).groups(faces.targets, faces.classes)
    index, captions = [], []
    for g in np.unique(group):
        chosen = np.flatnonzero(group == g)[:each]
        index += [*chosen, *[-1] * (each - len(chosen))]  # -1: an empty place
        captions += [titles[g], *[""] * (each - 1)]
    images = faces.images[torch.tensor(index)].clone()
    images[torch.tensor(index) < 0] = 255
    return image_grid(images, captions, columns=each, size=0.95)


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
    captions = (None, None, None) if titles is None else titles
    count = len(anchors)
    extent = (0.9 + count * 1.15, 3 * (1.15 if titles is None else 1.35))
    with canvas(3, count, figsize=extent) as (figure, axes):
        for row, name, images, said, place in zip(
            axes, names, (anchors, positives, negatives), captions, (0, 2, 3), strict=True
        ):
            show_row(row, name, images, said, color=PALETTE[place], fontweight="bold")
    return figure


def explanation_grid(faces: FaceSet, shown: Mapping[str, Explanation]) -> Figure:
    """Faces in columns; in rows the full face, what each view leaves of it, and for each network
    its Grad-CAM mask and the mask laid over what it sees, with its answer above.

    shown: name of the network -> ``results.explain`` of these faces. White: where a view ends.
    """
    partial: dict[str, Explanation] = {}
    for found in shown.values():
        if found.view != "full":
            partial.setdefault(found.view, found)
    rows = 1 + len(partial) + 2 * len(shown)
    width, lines = len(faces), 1 + len(shown)
    extent = (1.2 + 0.8 * width, 0.8 * rows + 0.2 * lines)
    with canvas(rows, width, figsize=extent) as (figure, axes):
        words = task_of(faces.task).words(faces.targets, faces.classes)
        show_row(axes[0], view_title("full"), faces.images, words)
        for row, (view, found) in zip(axes[1:], partial.items(), strict=False):
            show_row(row, view_title(view), found.seen)
        for k, (name, found) in enumerate(shown.items()):
            mask, overlay = axes[rows - 2 * (len(shown) - k) :][:2]
            show_row(mask, name, found.seen, [f"“{said}”" for said in found.said])
            show_row(overlay, "laid over it", found.seen)
            ends = found.view if found.view in partial else next(iter(partial), "full")
            for c, heat in enumerate(found.maps.numpy()):
                border = visible_pixels(ends, *heat.shape).numpy()
                for ax, alpha in ((mask[c], 1.0), (overlay[c], 0.55)):
                    ax.imshow(heat, cmap=MAP_COLORS, vmin=0, vmax=1, alpha=alpha)
                    if not border.all():
                        ax.contour(border, [0.5], colors="white", linewidths=0.8, linestyles=":")
    return figure
