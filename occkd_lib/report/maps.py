"""Where the networks of an experiment put the same faces: t-SNE of their embeddings."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data.registry import data_root, data_set
from occkd_lib.errors import OcckdError
from occkd_lib.report import planes
from occkd_lib.report.chapters import embeddings
from occkd_lib.report.evidence import METHODS, finished_runs
from occkd_lib.runs import Run
from occkd_lib.training.stages import faces_of

MOST = 500  # faces: enough to see neighbourhoods, seconds for t-SNE


def networks_of(recipe: Recipe, name: str) -> tuple[int, dict[str, Run]]:
    """The first finished seed, and its runs of teacher, student and distilled students."""
    half = recipe.experiment(name).visible
    runs = finished_runs(recipe, name)
    seed = min((seed for seed, _ in runs), default=0)
    wanted = ("teacher", f"student_{half}", "standard", "triplet")
    return seed, {stage: runs[seed, stage] for stage in wanted if (seed, stage) in runs}


def why_none(recipe: Recipe, name: str) -> str:
    """What an experiment's map lacks on this machine, in one sentence; empty if nothing."""
    _, runs = networks_of(recipe, name)
    if not runs:
        return "No map of the embeddings: no network of it is trained."
    without = [stage for stage, run in runs.items() if not has_weights(run)]
    if without:
        return f"No map of the embeddings: the weights of {', '.join(without)} are not kept here."
    data = data_set(recipe.experiment(name).data.name)
    if data.find and data.find(data_root()) is None:
        return (
            f"No map of the embeddings: {data.title} is not on this machine (--data, $OCCKD_DATA)."
        )
    return ""


def has_weights(run: Run) -> bool:
    return (run.folder / "model.safetensors").is_file()


def check_faces(runs: Iterable[Run], experiment: Experiment) -> None:
    """Raise OcckdError for a run that saw other faces than those that are here now."""
    known = faces_of(experiment.data, experiment.task).fingerprint()
    for run in runs:
        if (run.status or {})["config"]["faces"] != known:
            raise OcckdError(
                f"{run.folder} saw other faces than those in {data_root()}: "
                "restore the data set, or delete that folder and run its stage again"
            )


def embedding_maps(recipe: Recipe, name: str, *, most: int = MOST, seed: int = 0) -> Figure:
    """Teacher (full faces), student and distilled students (half faces), one panel each.

    All panels hold the same test faces, at most ``most``, drawn with ``seed``; only these are put
    through the networks, which are those of the first finished seed. Coloured by class or by age.
    Raises OcckdError when weights or data are missing (see ``why_none``), or the data are not the
    faces that the runs saw.
    """
    lacking = why_none(recipe, name)
    if lacking:
        raise OcckdError(f"{recipe.name}/{name}: {lacking}")
    experiment = recipe.experiment(name)
    _, runs = networks_of(recipe, name)
    faces = faces_of(experiment.data, experiment.task)
    check_faces(runs.values(), experiment)
    shown = faces.split("test").sample(most, seed)
    panels = {}
    for stage, run in runs.items():
        view = "full" if stage == "teacher" else experiment.visible
        panels[f"{METHODS[stage].title.split(',')[0]}, sees {view}"] = embeddings(
            experiment, run, shown, view
        )
    return planes.embedding_maps(panels, shown.targets, classes=shown.classes or None, seed=seed)
