"""Small helpers of the notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from occkd_lib.config import Experiment, Recipe, merge
from occkd_lib.data import SPLITS, FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import per_class_recall
from occkd_lib.evaluation.metrics import Values, as_numpy
from occkd_lib.report import figures
from occkd_lib.report.evidence import finished_runs
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS
from occkd_lib.training.networks import look_at


def embeddings(experiment: Experiment, run: Run, faces: FaceSet, visible: str) -> Tensor:
    """Face embeddings N x D by the network of a finished run; see ``look_at``."""
    return look_at(experiment, run, faces, visible).embedding


def decisions(experiment: Experiment, run: Run, faces: FaceSet, visible: str) -> pd.Series:
    """What that network decides, class or years, by the faces' ids; see ``look_at``."""
    output = look_at(experiment, run, faces, visible).output
    return pd.Series(TASKS[experiment.task].decide(output).numpy(), index=faces.ids)


def names(faces: FaceSet, targets: Values) -> list[str]:
    """Targets or predictions in words: the classes' names, or years."""
    values = as_numpy(targets)
    return [faces.classes[int(v)] if faces.classes else f"{v:.0f} years" for v in values]


# --- chapters 1 to 4 ------------------------------------------------------------------------


def answers_of(looks: Mapping[str, tuple[Run, str]], *, split: str = "test") -> pd.DataFrame:
    """What finished runs say of the same faces, ready for ``comparisons``.

    looks: name -> (run, what it saw: "full", "lower" or "upper"). Index: the faces' ids; columns:
    target, then one a name. Raises OcckdError for a run that did not see that, or other faces.
    """
    columns: dict[str, pd.Series] = {}
    for name, (run, visible) in looks.items():
        rows = run.predictions.query("split == @split and visible == @visible").set_index("id")
        target = columns.setdefault("target", rows["target"])
        if rows.empty or not rows["target"].equals(target):
            raise OcckdError(
                f"{run.folder} did not see the {visible} half of these {split} faces: "
                "delete that folder and run its stage again"
            )
        columns[name] = rows["prediction"]
    return pd.DataFrame(columns)


def age_bands(years: Values) -> tuple[np.ndarray, list[str]]:
    """Ages as bands of ten years (N int64, 90 and more are one) and the bands' names."""
    bands = np.minimum(as_numpy(years).astype(np.int64) // 10, 9)
    return bands, [f"{low}-{low + 9}" for low in range(0, 90, 10)] + ["90+"]


def groups(faces: FaceSet) -> tuple[np.ndarray, list[str]]:
    """Class of every face, or its age band (N int64), and all names."""
    if faces.classes:
        return faces.targets.numpy(), list(faces.classes)
    return age_bands(faces.targets)


def contact_sheet(faces: FaceSet, *, each: int = 8) -> Figure:
    """The first ``each`` faces of every class or age band, one row a class."""
    group, titles = groups(faces)
    index, captions = [], []
    for g in np.unique(group):
        chosen = np.flatnonzero(group == g)[:each]
        index += [*chosen, *[-1] * (each - len(chosen))]  # -1: an empty place
        captions += [titles[g], *[""] * (each - 1)]
    images = faces.images[torch.tensor(index)].clone()
    images[torch.tensor(index) < 0] = 255
    return figures.image_grid(images, captions, columns=each, size=0.55)


def shares(counts: pd.DataFrame) -> Figure:
    """Per cent of each split that a class or age band makes up; counts: ``check(...).counts``."""
    table = 100 * counts[list(SPLITS)] / counts[list(SPLITS)].sum()
    with figures.canvas(figsize=(figures.WIDTH, 2.8)) as (figure, axes):
        ax = axes[0, 0]
        table.plot.bar(ax=ax, width=0.8, rot=0, color=figures.PALETTE[:3], legend=False)
        ax.set(xlabel="", ylabel="% of the split")
        ax.tick_params(axis="x", length=0)
        figure.legend(loc="outside upper right", ncols=3)
    return figure


def score_bars(scores: pd.DataFrame) -> Figure:
    """``comparisons.scores`` as bars."""
    label = scores.columns[0]
    bars = {
        str(name): tuple(row)
        for name, row in zip(scores.index, scores.iloc[:, :3].to_numpy(), strict=True)
    }
    return figures.metric_bars(bars, label=label)


def agreement(table: pd.DataFrame, method: str, classes: Sequence[str]) -> Figure:
    """What ``method`` says against the truth: confusion matrix, or predicted against true age."""
    target, said = table["target"].to_numpy(), table[method].to_numpy()
    if classes:
        return figures.confusion_matrix(target, said, classes, title=method)
    top = 5 + max(target.max(), said.max())
    with figures.canvas(figsize=(4.2, 4.2)) as (figure, axes):
        ax = axes[0, 0]
        ax.plot([0, top], [0, top], color="0.6", linewidth=1)
        ax.scatter(target, said, s=12, alpha=0.4, linewidths=0, color=figures.PALETTE[0])
        pairs = pd.DataFrame({"x": target, "y": said}).groupby(age_bands(target)[0])
        middle = pairs.median()[pairs.size() >= 5]  # fewer faces have no typical answer
        ax.plot(
            middle["x"], middle["y"], "o-", color=figures.PALETTE[1], label="median of ten years"
        )
        ax.set(xlabel="true age, years", ylabel="predicted age, years", title=method)
        ax.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        ax.legend(loc="upper left")
    return figure


def by_group(table: pd.DataFrame, methods: Sequence[str], classes: Sequence[str]) -> Figure:
    """Recall of every class, or mean absolute error of every age band, method beside method."""
    target = table["target"].to_numpy()
    if classes:
        counts = {int(c): int((target == c).sum()) for c in np.unique(target)}
        recalls = {name: per_class_recall(target, table[name].to_numpy()) for name in methods}
        return figures.recall_bars(recalls, classes, counts=counts)
    band, titles = age_bands(target)
    present, sizes = np.unique(band, return_counts=True)
    errors = table[list(methods)].sub(table["target"], axis=0).abs().groupby(band)
    means = errors.mean()
    with figures.canvas(figsize=(figures.WIDTH, 3.2)) as (figure, axes):
        ax = axes[0, 0]
        colors = figures.PALETTE[: len(methods)]
        means.plot.bar(ax=ax, width=0.8, rot=0, color=colors, legend=False)
        ax.set_xticks(
            range(len(means)),
            [f"{titles[b]}\n({n:,})" for b, n in zip(present, sizes, strict=True)],
        )
        ax.set(xlabel="age (faces)", ylabel="mean absolute error, years")
        ax.tick_params(axis="x", length=0)
        figure.legend(loc="outside upper right", ncols=min(3, len(methods)))
    return figure


def variant(book: Recipe, experiment: str, name: str, change: dict) -> Recipe:
    """``book`` with nothing but one experiment, changed, and a name (so folder) of its own.

    change: what differs, as in a recipe file: ``{"stages": {"student": {"epochs": 10}}}``.
    """
    changed = merge(book.experiment(experiment).model_dump(mode="json"), change)
    return Recipe(
        name=f"{book.name}_{name}",
        description=f"{book.name} with {change}",
        experiments={experiment: Experiment.model_validate(changed)},
    )


# --- chapter 10 -----------------------------------------------------------------------------


def stage_table(recipe: Recipe) -> pd.DataFrame:
    """One row per experiment and finished stage, all its seeds together.

    Columns: experiment, stage, seeds, epochs, lr (of the recipe), selected (mean epoch kept, from
    1), minutes (all seeds), device.
    """
    rows = []
    for name, experiment in recipe.experiments.items():
        for (seed, stage), run in finished_runs(recipe, name).items():
            status = run.status or {}
            kind = "student" if stage.startswith("student") else stage
            settings = getattr(experiment.stages, kind, None)  # fusion has no epochs
            rows.append(
                {
                    "experiment": name,
                    "stage": stage,
                    "seeds": seed,
                    "epochs": settings.epochs if settings else "",
                    "lr": settings.lr if settings else "",
                    "selected": 1 + status.get("selected_epoch", np.nan),
                    "minutes": status["wall_seconds"] / 60,
                    "device": status["environment"]["device"],
                }
            )
    keys = ["experiment", "stage", "epochs", "lr", "device"]
    how = {"seeds": "count", "selected": "mean", "minutes": "sum"}
    return pd.DataFrame(rows).groupby(keys, sort=False).agg(how).round(2).reset_index()
