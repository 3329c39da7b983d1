"""Where the networks look: Grad-CAM pictures (journal, Fig. 3-5), and the number behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.evaluation import interval, paired_bootstrap
from occkd_lib.explain import grad_cam, mass_on_visible
from occkd_lib.models.base import FaceNet
from occkd_lib.occlusion import cut_row
from occkd_lib.report.chapters import names
from occkd_lib.report.figures import PALETTE, WIDTH, canvas, show_image
from occkd_lib.tasks import TASKS
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import predict
from occkd_lib.training.views import Views

CHUNK = 512  # faces whose maps are held at once
MAP_COLORS = "inferno"
Look = tuple[FaceNet, str]  # a network, and what it sees: "full", "lower" or "upper"


@dataclass(frozen=True)
class Explanation:
    """What a network sees of N faces, where it finds its answer, and the answer.

    visible: "full", "lower" or "upper". seen: N x C x S x S, uint8. maps: N x S x S in [0, 1].
    said: N class names or years.
    """

    visible: str
    seen: Tensor
    maps: Tensor
    said: list[str]


def explain(look: Look, faces: FaceSet, *, target: int | Tensor | None = None) -> Explanation:
    """Grad-CAM of all ``faces``, for the network's own answer or for ``target``; see grad_cam.

    The network is moved to the best device.
    """
    model, visible = look
    compute = Compute.best()
    views = Views(faces, model.to(compute.device).input_spec, compute.device)
    index = torch.arange(len(faces), device=compute.device)
    output = predict(model, views, visible, compute=compute).output
    return Explanation(
        visible,
        seen=views.pixels(visible, index).cpu(),
        maps=grad_cam(model, views, visible, index, target=target),
        said=names(faces, TASKS[faces.task].decide(output)),
    )


def explanation_grid(faces: FaceSet, shown: Mapping[str, Explanation]) -> Figure:
    """Faces in columns; in rows the full face, the half of it that is left, and for each network
    its Grad-CAM mask and the mask laid over what it sees, with its answer above.

    shown: name of the network -> ``explain`` of these faces. White: where the halves meet.
    """
    halves = [e for e in shown.values() if e.visible != "full"][:1]
    rows = 1 + len(halves) + 2 * len(shown)
    width, lines = len(faces), 1 + len(shown)
    extent = (1.2 + 0.8 * width, 0.8 * rows + 0.2 * lines)
    with canvas(rows, width, figsize=extent) as (figure, axes):
        show_row(axes[0], "full face", faces.images, names(faces, faces.targets))
        for half in halves:
            show_row(axes[1], f"{half.visible} half", half.seen)
        for k, (name, found) in enumerate(shown.items()):
            mask, overlay = axes[rows - 2 * (len(shown) - k) :][:2]
            show_row(mask, name, found.seen, [f"“{said}”" for said in found.said])
            show_row(overlay, "laid over it", found.seen)
            for c, heat in enumerate(found.maps.numpy()):
                for ax, alpha in ((mask[c], 1.0), (overlay[c], 0.55)):
                    ax.imshow(heat, cmap=MAP_COLORS, vmin=0, vmax=1, alpha=alpha)
                    border = cut_row(len(heat)) - 0.5
                    ax.axhline(border, color="white", linewidth=0.8, linestyle=":")
    return figure


def show_row(
    axes: np.ndarray, name: str, images: Iterable[Tensor], titles: Sequence[str] = ()
) -> None:
    """One image (C x H x W) an axis, and the row's name to the left of the first."""
    for c, (ax, image) in enumerate(zip(axes, images, strict=True)):
        show_image(ax, image.numpy(), titles[c] if titles else "")
    axes[0].text(
        -0.1, 0.5, name, transform=axes[0].transAxes, ha="right", va="center", fontsize=9,
    )  # fmt: skip


def visible_shares(look: Look, faces: FaceSet, half: str) -> np.ndarray:
    """Share of each face's Grad-CAM mass that lies on ``half``, N in 0..1; NaN for an empty map."""
    model, visible = look
    device = Compute.best().device
    views = Views(faces, model.to(device).input_spec, device)
    parts = torch.arange(len(faces), device=device).split(CHUNK)
    shares = [mass_on_visible(grad_cam(model, views, visible, part), half) for part in parts]
    return torch.cat(shares).numpy()


def some_of(faces: FaceSet, count: int | None) -> FaceSet:
    """``count`` of the faces, always the same ones, in their order; all for None."""
    if count is None or count >= len(faces):
        return faces
    drawn = np.random.default_rng(0).choice(len(faces), count, replace=False)
    return faces.select(np.sort(drawn))


def attention_table(
    looks: Mapping[str, Look], test: FaceSet, half: str, *, against: str, faces: int | None = None
) -> pd.DataFrame:
    """How much of the Grad-CAM mass lies on the visible half; by chance one expects 50 %.

    looks: name -> (network, what it sees). faces: how many of ``test`` are looked at, None for
    all. One row a network: sees, mass (mean over faces, per cent), low, high (95 % bootstrap
    interval over faces), minus ``against`` (paired, points) with its own low and high, n (faces
    that have a map) and empty (faces whose map is zero everywhere; they count nowhere else).
    """
    chosen = some_of(test, faces)
    shares = {name: 100 * visible_shares(look, chosen, half) for name, look in looks.items()}
    rows = {}
    for name, values in shares.items():
        known = ~np.isnan(values)
        both = known & ~np.isnan(shares[against])
        zero = np.zeros(len(chosen))  # a share is its own distance from zero: the metric is a mean
        mean = difference = (np.nan, np.nan, np.nan)
        if known.any():
            found = interval(zero[known], values[known], "mean_absolute_error")
            mean = (found.value, found.low, found.high)
        if both.any() and name != against:
            paired = paired_bootstrap(
                zero[both], values[both], shares[against][both], "mean_absolute_error"
            )
            difference = (paired.difference, paired.low, paired.high)
        rows[name] = (looks[name][1], *mean, *difference, int(known.sum()), int((~known).sum()))
    minus = f"minus {against}"
    columns = ["sees", "mass, %", "low", "high", minus, f"{minus}, low", f"{minus}, high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "n", "empty"]).round(2)


def attention_forest(table: pd.DataFrame, half: str) -> Figure:
    """``attention_table`` as dots with intervals, against the share of the pixels (50 %)."""
    with canvas(figsize=(WIDTH, 0.9 + 0.36 * len(table))) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(50, color="0.4", linewidth=1, linestyle="--")
        for y, (value, low, high) in enumerate(table[["mass, %", "low", "high"]].to_numpy()):
            color = PALETTE[1 if table["sees"].iloc[y] == "full" else 0]
            ax.plot([low, high], [y, y], color=color, linewidth=2.2)
            ax.plot(value, y, "o", color=color, markersize=7)
        ax.set_yticks(range(len(table)), table.index)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="x")
        ax.set_xlabel(f"Grad-CAM mass on the {half} half, % (95 % interval over faces)")
    return figure
