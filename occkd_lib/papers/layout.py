"""How tables of published and own values are laid out: their order, and the papers' own form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from occkd_lib.papers.base import Paper
from occkd_lib.results.summary import OFFICIAL


def in_order(table: pd.DataFrame, order: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Sorted by each column in turn: values as listed there, others as they come."""

    def rank(column: pd.Series) -> pd.Series:
        values = dict.fromkeys([*order[str(column.name)], *column])
        return column.map({value: place for place, value in enumerate(values)})

    return table.sort_values(list(order), key=rank, ignore_index=True)


def cited_work(paper: Paper, name: str) -> str:
    """What the tables call another work's row: "cited work [5]"."""
    return name.replace(paper.cited, "cited work")


def of_the_first(rows: pd.DataFrame, experiments: Sequence[str]) -> pd.DataFrame:
    """Rows without ours of all but the first experiment of each data set, network and metric."""
    rank = rows["experiment"].map({name: place for place, name in enumerate(experiments)})
    first = rank.groupby([rows[key] for key in ("data set", "network", "metric")]).transform("min")
    rows = rows.assign(ours=rows["ours"].where(rank.isna() | (rank == first), ""))
    return rows[(rows["ours"] != "") | (rows["published"] != "")]


def as_printed(complete: pd.DataFrame, experiments: Sequence[str] | None = None) -> pd.DataFrame:
    """A complete table in the papers' own layout, official test faces only.

    Rows: method, network, train and test faces. Columns: data set, metric, and for each of them
    published and ours. experiments: in the order in which they are preferred, where several have
    the data set, network and metric; None for all of them, parted by a slash.
    """
    rows = complete[complete["subset"] == OFFICIAL]
    rows = rows if experiments is None else of_the_first(rows, experiments)
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
