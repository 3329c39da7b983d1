"""Where the networks of an experiment put the same faces: t-SNE of their embeddings."""

from __future__ import annotations

from matplotlib.figure import Figure

from occkd_lib.config import Experiment
from occkd_lib.data import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Stage
from occkd_lib.occlusion import view_title
from occkd_lib.plots import embedding_maps, told_apart
from occkd_lib.results import Store
from occkd_lib.results.weights import check_faces, has_data, has_weights
from occkd_lib.runs import Run
from occkd_lib.stages import answers_of, faces_of, graph, rows_of
from occkd_lib.tasks import task_of

EACH = 2  # stages of one method: a page of twenty maps tells nobody anything
MOST = 200  # faces: enough to see neighbourhoods, a third of a second for t-SNE


def shown_stages(experiment: Experiment) -> dict[str, Stage]:
    """Networks of the visible part that are nobody's control, EACH of a method at most, and those
    they are built on."""
    stages, rows = graph(experiment), rows_of(experiment).values()
    networks = [stages[row.stage] for row in rows if row.name == row.stage]
    last = [s for s in networks if s.view == experiment.visible and not s.settings.controls]
    of_method: dict[str, list[Stage]] = {}
    for stage in last:
        of_method.setdefault(stage.method.name, []).append(stage)
    last = [stage for same in of_method.values() for stage in same[:EACH]]
    used = {s.name for s in (*last, *(p for s in last for p in s.parents.values()))}
    return {name: stage for name, stage in stages.items() if name in used}


def first_networks(store: Store, name: str) -> dict[str, Run]:
    """The runs of ``shown_stages`` that the first finished seed has."""
    runs = store.runs(name)
    trained = {key: run for key, run in runs.items() if not run.restored} or runs
    stages, first = shown_stages(store.recipe.experiment(name)), min(trained, default=(0, ""))[0]
    return {stage: runs[first, stage] for stage in stages if (first, stage) in runs}


def why_no_map(store: Store, name: str) -> str:
    """What an experiment's map lacks on this machine, in one sentence; empty if nothing."""
    runs, data = first_networks(store, name), store.recipe.experiment(name).data
    without = [stage for stage, run in runs.items() if not has_weights(run)]
    lacking = ""
    if not runs:
        lacking = "no network of it is trained"
    elif without:
        lacking = f"the weights of {', '.join(without)} are not kept here"
    elif not has_data(store.recipe.experiment(name)):
        lacking = f"{data_set(data.name).title} is not on this machine (--data, $OCCKD_DATA)"
    return lacking and f"No map of the embeddings: {lacking}."


def experiment_map(store: Store, name: str, *, most: int = MOST) -> Figure:
    """Teacher, student and distilled students, one panel each, as each of them sees the faces.

    All panels hold the same test faces, at most ``most``; only these are put through the networks,
    which are those of the first finished seed. Coloured by class or by the
    quantity. Raises OcckdError when weights or data are missing (see ``why_no_map``), or the data
    are not the faces that the runs saw.
    """
    lacking = why_no_map(store, name)
    if lacking:
        raise OcckdError(f"{store.recipe.name}/{name}: {lacking}")
    experiment = store.recipe.experiment(name)
    stages, runs = shown_stages(experiment), first_networks(store, name)
    faces = faces_of(experiment)
    check_faces(runs.values(), faces)
    shown = faces.split("test").sample(most)
    titles = told_apart({stage: stages[stage].method.title for stage in runs})
    panels = {}
    for stage, run in runs.items():
        network, view = stages[stage].network, stages[stage].view
        said = answers_of(experiment, network, run, shown, view)
        panels[f"{titles[stage]}: {view_title(view)}"] = said.embedding
    return embedding_maps(panels, shown.targets, task_of(experiment.task), shown.classes)
