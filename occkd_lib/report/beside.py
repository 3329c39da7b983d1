"""Our results beside the published ones, row by row, as text that is ready to print."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from occkd_lib.config import Recipe
from occkd_lib.report.complete import every_cell
from occkd_lib.report.published import NETWORKS, published, published_table
from occkd_lib.report.rows import compared, counterpart, described, measured, minus, printed
from occkd_lib.report.tables import HEADINGS, OFFICIAL, as_recipe, summary


def side_by_side(
    recipe: Recipe | str | Path,
    table: int | str,
    *,
    results: pd.DataFrame | None = None,
    complete: bool = False,
) -> pd.DataFrame:
    """Our runs beside the journal's Table 1, 2, 3 or 4, or beside "icpr", the ICPR paper's Table I.

    Text, ready to print: accuracies and their differences in per cent and points, MAE in years.
    A dagger marks what the paper calls significant. results: from ``summary``, to save computing
    it. Raises ValueError for another table.

    One row for each of our results. A network of the paper stands beside its own column, and "ours
    - published" is filled; any other has all columns, for orientation. Rows that the paper does not
    have (the controls) say so.

    complete: one row for each cell of the published table, in its order, with "no run" where we
    have none, and the command to get it. Results of ours that are no cell stand between them.
    """
    recipe, spec = as_recipe(recipe), published_table(table)
    results = summary(recipe, tasks=spec.tasks) if results is None else results
    cells = published(spec.paper, spec.number)
    rows = [
        row
        for row in results.to_dict("records")
        if row["task"] in spec.tasks and row["method"] in spec.methods
    ]
    if complete:
        return every_cell(recipe, spec, cells, rows)
    networks = [n for n in NETWORKS.values() if n in set(cells["model"])]
    order, metrics = list(recipe.experiments), list(HEADINGS)

    def position(row: dict) -> tuple:
        subset = row["subset"] != OFFICIAL
        return order.index(row["experiment"]), subset, metrics.index(row["metric"])

    return pd.DataFrame([beside(row, cells, networks) for row in sorted(rows, key=position)])


def beside(row: dict, cells: pd.DataFrame, networks: list[str]) -> dict[str, str]:
    """One row of ``summary`` as text, with the published row that corresponds to it."""
    theirs, note = counterpart(row, cells)
    network = NETWORKS.get(row["network"], row["network"])
    same = theirs.get(network)
    if network in networks:
        theirs = {network: same} if same else {}
    return {
        "experiment": row["experiment"],
        **described(row),
        "metric": HEADINGS[row["metric"]],
        **measured(row),
        **{f"published {n}": printed(theirs.get(n)) for n in networks},
        "ours - published": minus(row, same),
        **compared(row),
        "subset": row["subset"],
        "label rule": row["label_rule"],
        "network": row["network"],
        "note": same.note if same else note,
    }
