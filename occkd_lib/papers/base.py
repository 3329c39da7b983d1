"""What a paper's folder declares: its tables, what is odd about them, what corresponds to what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import NamedTuple

import pandas as pd

PRINTED_METRICS = {  # our metric -> what the CSV files call it
    "accuracy": "accuracy_pct",
    "weighted_accuracy": "weighted_accuracy_pct",
    "mean_absolute_error": "mae_years",
}


class Note(NamedTuple):
    """Something odd in a published table; ``cells``: column -> value of the cells it is about."""

    cells: Mapping[str, object]
    text: str


class PublishedTable(NamedTuple):
    """A table to stand beside. paper: its folder. number: as printed. tasks: of the experiments
    that belong beside it. stem: of the files that it is written to."""

    paper: str
    number: str
    title: str
    tasks: tuple[str, ...]
    stem: str


class Cell(NamedTuple):
    """A printed value (per cent or years), its dagger, and what is odd about it (or empty)."""

    value: float
    significant: bool
    note: str


@dataclass(frozen=True)
class Paper:
    """A paper and what in it corresponds to what in the book.

    folder: where its CSV files lie, a row a cell: paper, table, row_method, model, train_faces,
    test_faces, dataset, metric, value, significant. title: in a sentence. recipe: what repeats it,
    "" where nothing does yet. cited: how the name of a row begins that is another work's. tables:
    name -> table. datasets: (our data set, task) -> its name there. networks: ours -> its name
    there. What a row of ours is called there, the row says (``Row.published``).
    """

    name: str
    title: str
    folder: Traversable
    tables: Mapping[str, PublishedTable]
    recipe: str = ""
    cited: str = "sota_reference"
    datasets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def cells(self) -> pd.DataFrame:
        """All that it prints, one row a cell; see ``papers.published``."""
        parts = []
        for file in sorted(self.folder.iterdir(), key=lambda file: file.name):
            if file.name.endswith(".csv"):
                with file.open() as lines:
                    parts.append(pd.read_csv(lines, dtype={"table": str}))
        cells = pd.concat(parts, ignore_index=True)
        cells["significant"] = cells["significant"].notna()
        cells.insert(3, "method", cells["row_method"].str.replace(r" \[\d+\]$", "", regex=True))
        cells["note"] = ""
        for note in self.notes:
            about = pd.Series(True, index=cells.index)
            for column, value in note.cells.items():
                about &= cells[column] == value
            earlier = cells.loc[about, "note"]
            cells.loc[about, "note"] = earlier.where(earlier == "", earlier + "; ") + note.text
        return cells
