"""From the settings of an experiment to its stages, resolved and linked, and the tables' rows."""

from __future__ import annotations

from typing import Any

from occkd_lib.config import Experiment, parse_arm
from occkd_lib.methods import Row, Stage

HALVES = ("full", "lower", "upper")


def graph(experiment: Experiment) -> dict[str, Stage]:
    """All stages of an experiment, each after those it needs."""
    stages: dict[str, Stage] = {}
    for name in experiment.order():
        stages[name] = linked(experiment, name, stages)
    return stages


def stage_of(experiment: Experiment, name: str) -> Stage:
    """One stage, or an arm of one (``triplet@alpha=0.1``); OcckdError for one there cannot be."""
    experiment.settings(name)  # the error that lists what there is
    stages = graph(experiment)
    return stages[name] if name in stages else linked(experiment, name, stages)


def linked(experiment: Experiment, name: str, stages: dict[str, Stage]) -> Stage:
    """A stage whose parents are among ``stages``."""
    settings: Any = experiment.settings(name)
    method = experiment.method(name)
    view = method.view(settings, experiment.visible)
    tested_on = method.tested_on(view, views_of(experiment))
    if method.makes_network:
        tested_on = tuple(dict.fromkeys((*tested_on, *experiment.test_views)))
    stage = Stage(
        name=parse_arm(name)[0],
        method=method,
        settings=settings,
        network=settings.own_network or experiment.network,
        view=view,
        tested_on=tested_on,
        parents={parent: stages[parent] for parent in method.needs(settings)},
    )
    method.check_parents(stage)
    return stage


def views_of(experiment: Experiment) -> tuple[str, ...]:
    """Every view that occurs, both halves wherever something is hidden (journal, Table 1)."""
    seen = [
        experiment.method(name).view(settings, experiment.visible)
        for name, settings in experiment.stages.items()
    ]
    halves = HALVES if set(seen) != {"full"} else ()
    return tuple(dict.fromkeys((*halves, *seen)))


def rows_of(experiment: Experiment) -> dict[tuple[str, str], Row]:
    """(name, view) -> row: every line that the experiment has in the tables, in their order."""
    stages = graph(experiment)
    rows = [row for stage in stages.values() for row in stage.method.rows(stage, stages)]
    return {(row.name, row.view): row for row in rows}


def all_stages(experiment: Experiment, seed: int) -> tuple[str, ...]:
    """Every stage that the book runs for a seed, in order; arms of ablations, too.

    For a tuning seed: the arms that are chosen among, and what they need.
    """
    if seed in experiment.tuning_seeds:
        return tuning_stages(experiment)
    names = list(experiment.order())
    for ablation in experiment.ablations_of(seed).values():
        arms = experiment.ablation_stages(ablation)
        names += [arm for arm in arms if not experiment.tuned_arms(arm)]
    return tuple(dict.fromkeys(names))


def tuning_stages(experiment: Experiment) -> tuple[str, ...]:
    """The arms of every tuned stage, each after the stages that it needs."""
    names: dict[str, None] = {}

    def add(name: str) -> None:
        for parent in stage_of(experiment, name).parents:
            add(parent)
        names.update(dict.fromkeys(experiment.tuned_arms(name) or (name,)))

    for name in experiment.order():
        for arm in experiment.tuned_arms(name):
            add(arm)
    return tuple(names)
