"""What a paper's folder declares: its tables, what is odd about them, what corresponds to what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from io import StringIO

import pandas as pd
import yaml

from occkd_lib.data import DataSettings, data_set

PRINTED_METRICS = {  # our metric -> what the CSV files call it
    "accuracy": "accuracy_pct",
    "weighted_accuracy": "weighted_accuracy_pct",
    "mean_absolute_error": "mae_years",
}


@dataclass(frozen=True)
class PublishedTable:
    """A table to stand beside. tasks: of the experiments that belong beside it. stem: of the files
    that it is written to. key: what it is asked for by, its number unless it says otherwise.
    paper, number: filled in by its paper."""

    title: str
    tasks: tuple[str, ...]
    stem: str
    key: str = ""
    paper: str = ""
    number: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper and what in it corresponds to what in the book.

    folder: of its CSV files, a row a cell (paper, table, row_method, model, train_faces,
    test_faces, dataset, metric, value, significant), and of notes.yaml: what is odd about which
    cells. title: in a sentence. tables: number as printed -> table. recipe: what repeats it, ""
    where nothing does yet. cited: how the name of a row begins that is another work's. datasets:
    (our data set, task) -> its name there. networks: ours -> its name there. classes: name of a
    data set there -> how many classes it must have, where that is a choice. how: to read the
    tables. What a row of ours is called there, its method declares (``Row.published``); or the
    folder says in stages.yaml which stages stand beside which rows.
    """

    name: str
    title: str
    folder: Traversable
    tables: Mapping[str, PublishedTable]
    recipe: str = ""
    cited: str = "sota_reference"
    datasets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    how: str = ""

    def called(self, settings: DataSettings, task: str) -> str | None:
        """What the paper calls a data set of ours; None if it has none like that."""
        known = data_set(settings.name)
        name = self.datasets.get((known.name, task), "")
        if (
            name
            and name in self.classes
            and len(known.classes_of(settings, task)) != self.classes[name]
        ):
            return None
        return name

    @property
    def by_stage(self) -> bool:
        """Does its folder declare which stages stand beside which rows?"""
        return (self.folder / "stages.yaml").is_file()

    def keyed_tables(self) -> dict[str, PublishedTable]:
        """Key -> table, which knows its paper and number."""
        tables = (
            replace(t, paper=self.name, number=n, key=t.key or n) for n, t in self.tables.items()
        )
        return {table.key: table for table in tables}

    def notes(self) -> list[tuple[dict[str, object], str]]:
        """Column -> value of the cells that a note is about, and the note."""
        file = self.folder / "notes.yaml"
        found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else ()
        return [(entry["cells"], entry["note"]) for entry in found]

    def cells(self) -> pd.DataFrame:
        """All that it prints, one row a cell; see ``papers.published``."""
        files = sorted((f for f in self.folder.iterdir() if f.name.endswith(".csv")), key=str)
        texts = (StringIO(file.read_text(encoding="utf-8")) for file in files)
        parts = [pd.read_csv(text, dtype={"table": str}) for text in texts]
        cells = pd.concat(parts, ignore_index=True)
        cells["significant"] = cells["significant"].notna()
        cells.insert(3, "method", cells["row_method"].str.replace(r" \[\d+\]$", "", regex=True))
        cells["note"] = ""
        for where, note in self.notes():
            about = (cells[list(where)] == pd.Series(where)).all(axis=1)
            earlier = cells.loc[about, "note"]
            cells.loc[about, "note"] = earlier.where(earlier == "", earlier + "; ") + note
        return cells
