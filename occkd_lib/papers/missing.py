"""What a cell lacks that no run of ours fills, and the command that would make one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from occkd_lib.config import Experiment, Recipe, builtin_recipes, load_recipe
from occkd_lib.data import DataSettings, data_root, data_set
from occkd_lib.models import NetworkSettings
from occkd_lib.papers.base import Paper
from occkd_lib.papers.correspondence import StageTable, called
from occkd_lib.stages import graph


@cache
def recipes(first: str) -> tuple[Recipe, ...]:
    """The built-in recipes, that of a paper first."""
    names = sorted(builtin_recipes(), key=lambda name: name != first)
    return tuple(map(load_recipe, names))


def titles(recipe: Recipe, table: StageTable) -> dict[str, str]:
    """Stage of the paper -> what tables call it: in the recipe, or else in a built-in one."""
    found: dict[str, str] = {}
    for each in (recipe, *recipes("emotional_education")):
        for experiment in each.experiments.values():
            for name, settings in experiment.stages.items():
                if not table.has(experiment, name):
                    continue
                found.setdefault(name, settings.title or experiment.method(name).title)
    return found


def get(
    recipe: Recipe, paper: Paper, table: StageTable, stage: str, dataset: str
) -> tuple[str, str]:
    """What is missing ("no data: RAF-DB", "no network: ...", "no run", "no recipe yet"), and how to
    get it: by ``recipe`` if it can, else by the recipe that repeats the paper, or any other; with
    another network where none has the paper's."""
    ways = [
        (
            "" if table.same_network(stage, network) else network.name,
            each.command(name),
            lacking,
        )
        for each in (recipe, *recipes(paper.recipe))
        for name, network, lacking in experiments(each, paper, table, stage, dataset)
    ]
    if not ways:
        return "no recipe yet", ""
    other, command, lacking = min(ways, key=lambda way: way[0] != "")
    missing = [f"no data: {lacking}"] if lacking else []
    missing += [f"no network: {other} instead"] if other else []
    return "; ".join(missing) or "no run", command


def experiments(
    recipe: Recipe, paper: Paper, table: StageTable, stage: str, dataset: str
) -> Iterator[tuple[str, NetworkSettings, str]]:
    """(experiment, network, data that this machine lacks) of those that fill such a cell."""
    for name, experiment in recipe.experiments.items():
        if table.has(experiment, stage) and dataset in table.sets(paper, experiment):
            network = graph(experiment)[stage].network
            yield name, network, ", ".join(absent(paper, experiment, table))


def absent(paper: Paper, experiment: Experiment, table: StageTable) -> list[str]:
    """The data sets of an experiment's cell that are not on this machine."""
    wanted = (experiment.data, *(experiment.test_on if table.elsewhere is not None else ()))
    names = {called(paper, data, experiment.task): data for data in wanted}
    return [name for name, data in names.items() if not is_here(data)]


def is_here(data: DataSettings) -> bool:
    """Are the faces of a data set on this machine?"""
    known = data_set(data.name)
    return known.find is None or known.find(data_root(), data) is not None
