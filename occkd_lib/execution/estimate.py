"""What a recipe will cost before it starts: training runs, epochs, floating-point operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import pandas as pd

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Stage
from occkd_lib.models.cost import network_cost
from occkd_lib.runs import Run, fingerprint, run_folder
from occkd_lib.stages.graph import all_stages, stage_of
from occkd_lib.stages.networks import outputs_of
from occkd_lib.stages.run import decides

UNKNOWN: tuple[float, float] = (math.nan, math.nan)  # faces that a data set has not counted
USUAL_OUTPUTS = 8  # where only the data could say, which are not there
cost_of = cache(network_cost)


def estimate(
    recipe: Recipe, experiments: Sequence[str] = (), seeds: Sequence[int] = ()
) -> pd.DataFrame:
    """One row an experiment: runs, epochs and pflop of what is not done yet.

    experiments, seeds: these instead of all. A run that two experiments share counts once, for the
    first of them. Index: the experiments' names. Columns: runs, epochs, pflop (NaN where the data
    set does not say how many faces it has).
    """
    counted: set[tuple[int, str]] = set()
    rows = {}
    for name in experiments or recipe.experiments:
        chosen = recipe.experiment(name)
        identities: dict[str, str] = {}
        row = {"runs": 0, "epochs": 0, "pflop": 0.0}
        for seed in (*chosen.tuning_seeds, *(seeds or chosen.seeds)):
            for stage in all_stages(chosen, seed):
                key = seed, identity(chosen, stage, identities)
                if key in counted or Run(run_folder(recipe.name, name, seed, stage)).done:
                    continue
                counted.add(key)
                row["runs"] += 1
                row["epochs"] += getattr(chosen.settings(stage), "epochs", 0)
                row["pflop"] += stage_flop(chosen, stage_of(chosen, stage)) / 1e15
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def stage_flop(experiment: Experiment, stage: Stage) -> float:
    """FLOP of carrying out one stage, as its method reckons them; NaN for unknown faces."""
    train, val = data_set(experiment.data.name).sizes(experiment.data) or UNKNOWN
    outputs = known_outputs(experiment)
    teachers = [stage.parents[name] for name in stage.method.teachers(stage.settings)]
    return stage.method.flop(
        stage.settings,
        train,  # type: ignore[arg-type]
        val,  # type: ignore[arg-type]
        cost_of(stage.network, outputs),
        [cost_of(teacher.network, outputs) for teacher in teachers],
    )


def known_outputs(experiment: Experiment) -> int:
    """Outputs of the experiment's networks, or a usual number if only missing data could say."""
    try:
        return outputs_of(experiment)
    except OcckdError:
        return USUAL_OUTPUTS


def identity(experiment: Experiment, name: str, known: dict[str, str]) -> str:
    """What makes the run of a stage itself, as its fingerprint does, but for seed and faces.

    known: those of this experiment that have been worked out.
    """
    if name not in known:
        arms = experiment.tuned_arms(name)
        if arms:
            content: object = [identity(experiment, arm, known) for arm in arms]
        else:
            stage = stage_of(experiment, name)
            parents = {parent: identity(experiment, parent, known) for parent in stage.parents}
            content = [decides(experiment, stage), parents]
        known[name] = fingerprint(content)
    return known[name]
