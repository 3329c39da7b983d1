"""Published tables, every cell of them, with our results where there are some."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pandas as pd

from occkd_lib.config import Experiment, Recipe, builtin_recipes, load_recipe
from occkd_lib.report.evidence import METHODS, title
from occkd_lib.report.published import DATASETS, NETWORKS, UNITS, PublishedTable
from occkd_lib.report.rows import (
    COMPARED,
    as_cell,
    compared,
    counterpart,
    described,
    measured,
    minus,
    printed,
)
from occkd_lib.report.tables import HEADINGS, OFFICIAL

NO_RUN = "no run"
METRICS = {unit: metric for metric, unit in UNITS.items()}
VIEWS = ("full", "lower", "upper")
builtin = cache(load_recipe)
COMPLETE = (
    "data set", "method", "network", "train faces", "test faces", "metric", "ours",
    "95 % interval", "published", "ours - published", "n", "seeds", *COMPARED, "subset",
    "label rule", "experiment", "to get it", "note",
)  # fmt: skip


class Place(NamedTuple):
    """Where a value stands in a table. method: of METHODS, or the reference of a cited work."""

    method: str
    train_faces: str
    test_faces: str
    network: str
    dataset: str
    metric: str


def place_of_cell(cell: dict) -> Place:
    known = (
        key
        for key, method in METHODS.items()
        if method.published == cell["method"]
        and method.train.format(half=cell["test_faces"]) == cell["train_faces"]
    )
    return Place(
        next(known, cell["row_method"]),
        cell["train_faces"],
        cell["test_faces"],
        cell["model"],
        cell["dataset"],
        METRICS[cell["metric"]],
    )


def place_of_row(row: dict) -> Place:
    return Place(
        row["method"],
        row["train_faces"],
        row["test_faces"],
        NETWORKS.get(row["network"], row["network"]),
        DATASETS.get((row["dataset"], row["task"]), row["dataset"]),
        row["metric"],
    )


def every_cell(
    recipe: Recipe, spec: PublishedTable, cells: pd.DataFrame, rows: list[dict]
) -> pd.DataFrame:
    """The ``complete`` form: columns COMPLETE, as the paper orders its rows."""
    theirs = {place_of_cell(cell): cell for cell in cells.to_dict("records")}
    lines: list[tuple[bool, Place, dict[str, str]]] = []
    have = set()
    for row in rows:
        place, official = place_of_row(row), row["subset"] == OFFICIAL
        cell = theirs.get(place) if official else None
        lines.append((not official, place, with_run(row, place, cell, cells)))
        have |= {place} if official else set()
    others = sorted(builtin_recipes(), key=lambda name: name != spec.recipe)
    recipes = [recipe, *map(builtin, others)]
    for place, cell in theirs.items():
        if place not in have:
            lines.append((False, place, without_run(place, cell, recipes)))

    works = [place.method for place in theirs if place.method not in METHODS]
    ranks = [
        {value: rank for rank, value in enumerate(dict.fromkeys(values))}
        for values in (
            [*works, *METHODS],
            VIEWS,
            [*cells["model"], *(place.network for _, place, _ in lines)],
            [*cells["dataset"], *(place.dataset for _, place, _ in lines)],
            HEADINGS,
        )
    ]

    def position(line: tuple[bool, Place, dict[str, str]]) -> tuple:
        later, (method, _, view, network, dataset, metric), _ = line
        where = (method, view, network, dataset, metric)
        return later, *(rank[value] for rank, value in zip(ranks, where, strict=True))

    texts = [text for _, _, text in sorted(lines, key=position)]
    return pd.DataFrame(texts, columns=list(COMPLETE)).fillna("")


def with_run(row: dict, place: Place, cell: dict | None, cells: pd.DataFrame) -> dict[str, str]:
    """A line of the complete table that has a result of ours."""
    same = as_cell(cell) if cell else None
    return {
        "data set": place.dataset,
        "network": place.network,
        **described(row),
        "metric": HEADINGS[row["metric"]],
        **measured(row),
        "published": printed(same),
        "ours - published": minus(row, same),
        **compared(row),
        "subset": row["subset"],
        "label rule": row["label_rule"],
        "experiment": row["experiment"],
        "note": same.note if same else counterpart(row, cells)[1] or "network not in the paper",
    }


def without_run(place: Place, cell: dict, recipes: list[Recipe]) -> dict[str, str]:
    """A line of the complete table that has only the published value."""
    own = place.method in METHODS
    regression = place.metric == "mae_years"
    cited = cell["row_method"].replace("sota_reference", "cited work")
    return {
        "data set": place.dataset,
        "method": title(place.method, years=regression) if own else cited,
        "network": place.network,
        "train faces": place.train_faces,
        "test faces": place.test_faces,
        "metric": HEADINGS[place.metric],
        "ours": NO_RUN if own else "",
        "published": printed(as_cell(cell)),
        "to get it": command(recipes, place) if own else "",
        "note": cell["note"],
    }


def command(recipes: list[Recipe], place: Place) -> str:
    """The ``occkd run`` that fills a place: of the first recipe that can; empty if none can."""
    for recipe in recipes:
        for name, experiment in recipe.experiments.items():
            if fills(experiment, place):
                return f"occkd run {recipe.name} --only {name}"
    return ""


def fills(experiment: Experiment, place: Place) -> bool:
    """Does the experiment train and test what stands at that place?"""
    half = experiment.visible
    other_half = place.method.startswith("student") and place.train_faces != half
    return (
        DATASETS.get((experiment.data.name, experiment.task)) == place.dataset
        and NETWORKS.get(experiment.network.name) == place.network
        and METHODS[place.method].train.format(half=half) == place.train_faces
        and (experiment.both_halves or not other_half)
    )


def as_printed(complete: pd.DataFrame) -> pd.DataFrame:
    """A complete table in the papers' own layout, official test faces only.

    Rows: method, network, train and test faces. Columns: data set, metric, and for each of them
    published and ours (several experiments at one place are parted by a slash).
    """
    rows = complete[complete["subset"].isin(["", OFFICIAL])]
    keys = ["method", "network", "train faces", "test faces"]

    def joined(values: pd.Series) -> str:
        return " / ".join(dict.fromkeys(v for v in values if v))

    blocks = {
        block: part.groupby(keys, sort=False)[["published", "ours"]].agg(joined)
        for block, part in rows.groupby(["data set", "metric"], sort=False)
    }
    wide = pd.concat(blocks, axis=1).fillna("")
    wide = wide.reindex(pd.MultiIndex.from_frame(rows[keys].drop_duplicates()))
    return wide.loc[:, (wide != "").any()]
