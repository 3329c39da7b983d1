"""The papers there are, their tables cell by cell, and what of ours can be compared with them."""

from __future__ import annotations

from functools import cache

import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.data import DATA_SETS, data_set
from occkd_lib.papers import emotional_education, icpr2020, journal
from occkd_lib.papers.base import Paper, PublishedTable

PAPERS: dict[str, Paper] = {
    paper.name: paper for paper in (journal.PAPER, icpr2020.PAPER, emotional_education.PAPER)
}
TABLES = {key: t for paper in PAPERS.values() for key, t in paper.keyed_tables().items()}


def published(paper: str | None = None, table: str | int | None = None) -> pd.DataFrame:
    """The published results, one row a cell.

    paper: a name of PAPERS (None: all). table: its number as printed ("1" or 1, "I" ...). Columns:
    paper, table, row_method, method (row_method without its reference), model, train_faces,
    test_faces (the visible part), dataset, metric, value (NaN where the paper has a dash; per cent
    or years, as the metric says), significant (the dagger), note (what is odd about the cell, else
    empty). Raises ValueError for a paper or table there is not.
    """
    cells = everything()
    for column, value in (("paper", paper), ("table", table)):
        if value is not None:
            known = ", ".join(cells[column].unique())
            cells = cells[cells[column] == str(value)]
            if cells.empty:
                raise ValueError(f"no published {column} {value!r}; there are {known}")
    return cells.reset_index(drop=True)


@cache
def everything() -> pd.DataFrame:
    """All cells of all papers; read once."""
    return pd.concat([paper.cells() for paper in PAPERS.values()], ignore_index=True)


def published_table(table: int | str) -> PublishedTable:
    """The table called 1, 2, 3, 4 (of the journal), "icpr", "emotional education II" ...

    Raises ValueError for any other.
    """
    if str(table) not in TABLES:
        raise ValueError(f"no Table {table} to stand beside; one of {', '.join(TABLES)}")
    return TABLES[str(table)]


def disagreements() -> pd.DataFrame:
    """Cells that both papers on half faces print, with different values.

    Columns: method, model, train_faces, test_faces, dataset, metric, journal, icpr2020 (per cent).
    """
    cell = ["method", "model", "train_faces", "test_faces", "dataset", "metric"]
    ours, theirs = (
        published(paper)[[*cell, "value"]].dropna().rename(columns={"value": paper})
        for paper in ("journal", "icpr2020")
    )
    both = ours.merge(theirs, on=cell).drop_duplicates()
    return both[both["journal"] != both["icpr2020"]].reset_index(drop=True)


def is_drawn(experiment: Experiment) -> bool:
    """Are its faces the book's own drawings?"""
    known = data_set(experiment.data.name)
    return known.find is None and known in DATA_SETS.values()


def comparability(experiment: Experiment) -> str:
    """One sentence: can an experiment's results be compared with a paper's, and how?"""
    known, network = data_set(experiment.data.name), experiment.network.name
    papers = [p for p in PAPERS.values() if p.called(experiment.data, experiment.task)]
    if is_drawn(experiment):
        return "Drawn faces: no row can be compared with a paper."
    if not papers:
        return f"The faces of {known.title}, which no paper here has: no row can be compared."
    same = [paper for paper in papers if network in paper.networks]
    faces = f"The faces of {' and '.join(p.title for p in same or papers)} ({known.title})"
    if not same:
        return f"{faces}, but another network ({network}): compare directions, not levels."
    return f"{faces} and its {same[0].networks[network]}: compare column by column."
