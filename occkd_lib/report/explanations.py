"""Where the networks look: Grad-CAM pictures (journal, Fig. 3-5), and the number behind them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import FaceSet
from occkd_lib.evaluation import interval, paired_bootstrap
from occkd_lib.explain import NoFeatureMap, grad_cam, mass_on_visible
from occkd_lib.models.base import FaceNet
from occkd_lib.occlusion import cut_row
from occkd_lib.report.chapters import names
from occkd_lib.report.evidence import finished_runs
from occkd_lib.report.figures import PALETTE, canvas, show_image
from occkd_lib.report.forests import Dot, forest
from occkd_lib.report.maps import check_faces, has_weights, why_none
from occkd_lib.report.page import Section
from occkd_lib.report.tables import with_interval
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS
from occkd_lib.training.device import Compute
from occkd_lib.training.networks import load_model
from occkd_lib.training.predict import predict
from occkd_lib.training.stages import faces_of
from occkd_lib.training.views import Views

KINDS = ("teacher", "student_{half}", "control", "standard", "triplet")
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


def attention_table(
    looks: Mapping[str, Look], test: FaceSet, half: str, *, against: str, faces: int | None = None
) -> pd.DataFrame:
    """How much of the Grad-CAM mass lies on the visible half; by chance one expects 50 %.

    looks: name -> (network, what it sees). faces: how many of ``test`` are looked at, None for
    all. One row a network: sees, mass (mean over faces, per cent), low, high (95 % bootstrap
    interval over faces), minus ``against`` (paired, points) with its own low and high, n (faces
    that have a map) and empty (faces whose map is zero everywhere; they count nowhere else).
    """
    chosen = test.sample(faces)
    shares = {name: visible_shares(look, chosen, half) for name, look in looks.items()}
    return shares_table(shares, {name: look[1] for name, look in looks.items()}, against=against)


def shares_table(
    shares: Mapping[str, np.ndarray], sees: Mapping[str, str], *, against: str
) -> pd.DataFrame:
    """``attention_table`` from the shares: network -> N in 0..1, NaN for an empty map."""
    shares = {name: 100 * values for name, values in shares.items()}
    rows = {}
    for name, values in shares.items():
        known = ~np.isnan(values)
        both = known & ~np.isnan(shares[against])
        zero = np.zeros(len(values))  # a share is its own distance from zero: the metric is a mean
        mean = difference = (np.nan, np.nan, np.nan)
        if known.any():
            found = interval(zero[known], values[known], "mean_absolute_error")
            mean = (found.value, found.low, found.high)
        if both.any() and name != against:
            paired = paired_bootstrap(
                zero[both], values[both], shares[against][both], "mean_absolute_error"
            )
            difference = (paired.difference, paired.low, paired.high)
        rows[name] = (sees[name], *mean, *difference, int(known.sum()), int((~known).sum()))
    minus = f"minus {against}"
    columns = ["sees", "mass, %", "low", "high", minus, f"{minus}, low", f"{minus}, high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "n", "empty"]).round(2)


def networks_by_seed(recipe: Recipe, name: str) -> dict[int, dict[str, Run]]:
    """Seed -> the runs of KINDS whose weights are here; only seeds that have them all."""
    half = recipe.experiment(name).visible
    runs = finished_runs(recipe, name)
    found = {}
    for seed in sorted({seed for seed, _ in runs}):
        stages = [kind.format(half=half) for kind in KINDS]
        if all((seed, s) in runs and has_weights(runs[seed, s]) for s in stages):
            found[seed] = {stage: runs[seed, stage] for stage in stages}
    return found


def attention_over_seeds(recipe: Recipe, name: str) -> pd.DataFrame:
    """``attention_table`` of an experiment: all test faces, all seeds of ``networks_by_seed``.

    A face's share is its mean over the seeds (those in which its map is not empty), so the
    intervals are over faces; the teacher is there twice. One more column: seeds.
    """
    experiment = recipe.experiment(name)
    test = faces_of(experiment.data, experiment.task).split("test")
    half, by_seed = experiment.visible, networks_by_seed(recipe, name)
    shares: dict[str, list[np.ndarray]] = {}
    sees: dict[str, str] = {}
    check_faces((run for runs in by_seed.values() for run in runs.values()), experiment)
    for runs in by_seed.values():
        for stage, run in runs.items():
            for view in ("full", half) if stage == "teacher" else (half,):
                label = f"{stage}, {view} face" if view == "full" else stage
                sees[label] = view
                found = kept_shares(run, experiment, view, test)
                shares.setdefault(label, []).append(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # empty in every seed: NaN, as it should be
        means = {label: np.nanmean(values, axis=0) for label, values in shares.items()}
    table = shares_table(means, sees, against=f"student_{half}")
    return table.assign(seeds=len(by_seed))


def kept_shares(run: Run, experiment: Experiment, view: str, test: FaceSet) -> np.ndarray:
    """``visible_shares`` of a finished run; computed once, then kept in its folder."""
    name = f"attention-{view}.parquet"
    if not (run.folder / name).is_file():
        found = visible_shares((load_model(experiment, run), view), test, experiment.visible)
        run.save_table(name, pd.DataFrame({"id": test.ids, "share": found}))
    return run.table(name).set_index("id")["share"].reindex(test.ids).to_numpy()


def sections(recipe: Recipe) -> Iterator[Section]:
    """Where the networks of each experiment look, for those whose weights and data are here."""
    for name, experiment in recipe.experiments.items():
        if not networks_by_seed(recipe, name) or why_none(recipe, name):
            continue
        half = experiment.visible
        title = f"Grad-CAM {name}"
        try:
            table = attention_over_seeds(recipe, name)
        except NoFeatureMap as error:
            yield Section(title, pd.DataFrame(), str(error))
            continue
        text = (
            f"Share of the Grad-CAM mass on the visible ({half}) half, over all test faces, each "
            "averaged over the seeds; 50 % is the share of the pixels. A map without any mass "
            "(empty) counts nowhere. Differences are paired, face by face."
        )
        yield Section(title, printed(table, half), text, attention_forest(table, half))


def printed(table: pd.DataFrame, half: str) -> pd.DataFrame:
    """``attention_over_seeds`` as text."""
    minus = f"minus student_{half}"
    parts = {
        "mass on the visible half, %": ("mass, %", "low", "high", ""),
        f"{minus}, points": (minus, f"{minus}, low", f"{minus}, high", "+"),
    }
    shown = table[["sees"]].rename_axis("network").reset_index()
    for heading, (*columns, sign) in parts.items():
        values = table[columns].to_numpy()
        shown[heading] = ["" if np.isnan(v).any() else with_interval(*v, sign=sign) for v in values]
    return shown.assign(**table[["n", "empty", "seeds"]].astype(str).reset_index(drop=True))


def attention_forest(table: pd.DataFrame, half: str) -> Figure:
    """``attention_table`` as dots with intervals, against the share of the pixels (50 %)."""
    columns = ["mass, %", "low", "high", "sees"]
    dots = [
        Dot(str(name), value, low, high, PALETTE[1 if sees == "full" else 0])
        for name, (value, low, high, sees) in zip(
            table.index, table[columns].to_numpy(), strict=True
        )
    ]
    return forest(dots, f"Grad-CAM mass on the {half} half, % (95 % interval over faces)", at=50)
