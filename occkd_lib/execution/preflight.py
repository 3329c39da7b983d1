"""What would stop a recipe hours later, found before anything starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from occkd_lib.config import Recipe
from occkd_lib.data import DataSettings, data_set
from occkd_lib.errors import OcckdError
from occkd_lib.execution.estimate import known_outputs
from occkd_lib.models import parameter_count
from occkd_lib.models.weights.files import find_weights
from occkd_lib.occlusion import occlude
from occkd_lib.plugins import sources
from occkd_lib.project import one_line, outputs_root
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages.graph import all_stages, stage_of
from occkd_lib.stages.run import decides

TOY_IMAGES = (2, 1, 16, 16)
VALUE = 4  # bytes


def check(recipe: Recipe, experiments: Sequence[str], seeds: Sequence[int] = ()) -> None:
    """OcckdError, in one line, for what a recipe names and what is not there or does not work.

    experiments, seeds: those that are to run (no seeds: the recipe's). Missing data and weights are
    named all at once, with the experiments that can run without them.
    """
    missing: dict[str, None] = {}  # what to do about each of them, once
    ready = dict.fromkeys(f"--only {name}" for name in experiments)
    for name in experiments:
        chosen = recipe.experiment(name)
        try:
            weights = check_experiment(recipe, name, seeds or chosen.seeds)
        except OcckdError as error:
            raise OcckdError(f"experiment {name!r}: {error}") from None
        finds: list[Callable[[], object]] = [partial(find_weights, init) for init in weights]
        for data in (chosen.data, *chosen.test_on):
            finds.append(partial(check_data, data, chosen.task))
        for find in finds:
            try:
                find()
            except OcckdError as error:
                missing[str(error)] = None
                ready.pop(f"--only {name}", None)
    if full := no_room(recipe, experiments, seeds):
        missing[full] = None
        ready = {}
    if missing:
        rest = f". Without it: {' '.join(ready)}" if ready else ""
        raise OcckdError(f"{'. '.join(missing)}{rest}")


def check_data(settings: DataSettings, task: str) -> None:
    """OcckdError for a data set that is not there, or whose list does not fit the task."""
    known = data_set(settings.name)
    known.locate(settings)
    known.classes_of(settings, task)


def trained(recipe: Recipe, name: str, seeds: Sequence[int] = ()) -> bool:
    """Has every seed of an experiment all its stages? seeds: as in ``check``."""
    experiment = recipe.experiment(name)
    return all(
        Run(run_folder(recipe.name, name, seed, stage)).done
        for seed in seeds or experiment.seeds
        for stage in all_stages(experiment, seed)
    )


def check_experiment(recipe: Recipe, name: str, seeds: Sequence[int]) -> list[str]:
    """Networks, losses, views and import paths of every stage and arm; returns the names of the
    weights files that their runs still need."""
    experiment = recipe.experiment(name)
    sources(experiment.model_dump(mode="json"))  # every import path leads to a module
    outputs = known_outputs(experiment)
    names = dict.fromkeys(stage for seed in seeds for stage in all_stages(experiment, seed))
    stages = {each: stage_of(experiment, each) for each in names}
    shown = (experiment.visible, *(s.view for s in stages.values()), *experiment.test_views)
    for view in dict.fromkeys(shown):
        with blaming(f"view {view!r}"):
            toys = torch.zeros(TOY_IMAGES, dtype=torch.uint8)
            seen = occlude(toys, view, torch.arange(len(toys)))
            if seen.shape != TOY_IMAGES:
                raise ValueError(f"{tuple(seen.shape)} images come out of {TOY_IMAGES}")
    needed: dict[str, None] = {}
    for each, stage in stages.items():
        stage.network.embedding_dim(outputs)  # fails for a network that does not work
        runs = [Run(run_folder(recipe.name, name, seed, each)) for seed in seeds]
        finished = [run for run in runs if run.done]
        settled = decides(experiment, stage)
        for run in finished if not experiment.tuned_arms(each) else ():
            run.refuse_other(settled)
        begins = stage.method.makes_network and stage.settings.begins_with is None
        undone = len(finished) < len(runs)  # a finished run does without the file
        if begins and undone and stage.network.init != "random":
            needed[stage.network.init] = None
    return list(needed)


def no_room(recipe: Recipe, experiments: Sequence[str], seeds: Sequence[int]) -> str:
    """What is wrong where the outputs cannot be written, or their disk has no room for the networks
    that are to be trained; else "". Beside their values an optimiser keeps two more while a network
    learns."""
    needed, largest = 0, 0
    for name in experiments:
        experiment = recipe.experiment(name)
        outputs, known = known_outputs(experiment), {}
        for seed in seeds or experiment.seeds:
            for stage in all_stages(experiment, seed):
                if stage not in known:
                    network = stage_of(experiment, stage).network
                    known[stage] = VALUE * parameter_count(network.outline(outputs))
                done = Run(run_folder(recipe.name, name, seed, stage)).done
                needed += 0 if done else known[stage]
                largest = max(largest, known[stage])
    folder = next(f for f in (outputs_root(), *outputs_root().parents) if f.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return f"nothing can be written to {folder}: set OCCKD_OUTPUTS to a folder of yours"
    left = shutil.disk_usage(folder).free
    needed += 2 * largest if needed else 0
    if needed <= left:
        return ""
    return (
        f"the networks need about {needed / 1e6:,.0f} MB, {folder} has {left / 1e6:,.0f} MB left: "
        "make room, or set OCCKD_OUTPUTS to another disk"
    )


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Whatever a user's own code raises, in one line that names it."""
    try:
        yield
    except OcckdError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error, 120)}"
        raise OcckdError(f"{what} does not work ({reason})") from error
