"""Where a value stands in a paper's tables, in the paper's own words, and what would fill a place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pandas as pd

from occkd_lib.config import Recipe, builtin_recipes, load_recipe
from occkd_lib.methods import Row
from occkd_lib.papers.base import PRINTED_METRICS, Cell, Paper
from occkd_lib.results.store import data_name
from occkd_lib.stages import graph, rows_of
from occkd_lib.tasks import METRICS

OURS = {printed: metric for metric, printed in PRINTED_METRICS.items()}
builtin = cache(load_recipe)


class Place(NamedTuple):
    """Where a value stands. method: as the paper calls it, or we, where it has none like it; so
    with the other words."""

    method: str
    train_faces: str
    test_faces: str
    network: str
    dataset: str
    metric: str


class Filler(NamedTuple):
    """A row of some recipe's experiment that belongs in a paper's tables, and where.

    network, dataset: as the paper calls them, "" for those it does not have.
    """

    row: Row
    network: str
    dataset: str
    command: str


def place_of_cell(paper: Paper, cell: dict[str, Any]) -> Place:
    """cell: a row of ``published``. Cited works keep their reference, which tells them apart."""
    cited = cell["row_method"].startswith(paper.cited)
    return Place(
        cell["row_method"] if cited else cell["method"],
        cell["train_faces"],
        cell["test_faces"],
        cell["model"],
        cell["dataset"],
        OURS.get(cell["metric"], cell["metric"]),
    )


def place_of_line(paper: Paper, line: dict[str, Any], row: Row) -> Place:
    """line: one of ``summary``, row: its row."""
    return Place(
        row.published.get(paper.name, row.name),
        line["train_faces"],
        line["test_faces"],
        paper.networks.get(line["network"], line["network"]),
        paper.datasets.get((line["dataset"], line["task"]), line["dataset"]),
        line["metric"],
    )


def cells_beside(cells: pd.DataFrame, place: Place) -> dict[str, Cell]:
    """Network -> cell of the published row at a place; empty where there is none."""
    row = cells[
        (cells["dataset"] == place.dataset)
        & (cells["method"] == place.method)
        & (cells["train_faces"] == place.train_faces)
        & (cells["test_faces"] == place.test_faces)
        & (cells["metric"] == PRINTED_METRICS.get(place.metric))
        & cells["value"].notna()
    ]
    return {r.model: Cell(float(r.value), bool(r.significant), r.note) for r in row.itertuples()}


def heading_of(metric: str) -> str:
    """Of a table's column: our metric's, or the paper's word made readable."""
    if metric in METRICS:
        return METRICS[metric].heading
    return metric.replace("_pct", ", %").replace("_", " ")


def fillers(paper: Paper, recipe: Recipe) -> Iterator[Filler]:
    """All that belongs in a paper's tables: of ``recipe`` first, then of what repeats the paper."""
    others = sorted(builtin_recipes(), key=lambda name: name != paper.recipe)
    for book in (recipe, *map(builtin, others)):
        for name, experiment in book.experiments.items():
            networks = {stage.name: stage.network.name for stage in graph(experiment).values()}
            dataset = paper.datasets.get((data_name(experiment.data), experiment.task), "")
            for row in rows_of(experiment).values():
                if paper.name in row.published:
                    network = paper.networks.get(networks[row.parts[0]], "")
                    yield Filler(row, network, dataset, f"occkd run {book.name} --only {name}")


def fits(paper: Paper, filler: Filler, place: Place) -> bool:
    """Does the row belong at that place, whatever the network and the data set?"""
    row = filler.row
    trained_on = "+".join(row.trained_on)
    where = (row.published[paper.name], trained_on, row.view)
    return where == (place.method, place.train_faces, place.test_faces)
