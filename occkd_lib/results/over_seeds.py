"""What another training would do: the differences of ``summary``, seed by seed.

The tests of chapter 9 take the test faces as the sample and the networks as given. Here the
trainings are the sample. A seed is one whole training: teacher, student and what is distilled from
them; both sides of a difference share their seed's teacher and student.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from occkd_lib.evaluation import over_seeds
from occkd_lib.results.store import Store
from occkd_lib.results.summary import OFFICIAL, REFERENCES
from occkd_lib.results.text import Section, intervals
from occkd_lib.tasks import METRICS, task_of

SENTENCE = (
    "One difference a seed, and their mean with Student's 95 % interval over seeds: what another "
    "training would do with the same faces. With so few seeds it is wide; where it holds zero, the "
    "gain of these trainings may be luck, however small p is over the faces."
)


def sections(store: Store, results: pd.DataFrame) -> Iterator[Section]:
    """A table for every experiment with two finished seeds or more; results: of ``summary``."""
    for name, experiment in store.recipe.experiments.items() if len(results) else ():
        metric = task_of(experiment.task).metric
        ours = (results["experiment"] == name) & (results["metric"] == metric.name)
        table = by_seed(results[ours & (results["subset"] == OFFICIAL)])
        if len(table):
            yield Section(f"Over seeds {name}", SENTENCE, table, as_text(table), metric)


def by_seed(results: pd.DataFrame) -> pd.DataFrame:
    """One line per (method, reference) with two seeds or more.

    results: lines of ``summary``, or of its file as ``reference`` reads it.

    Columns: method, against (as the tables call them), unit ("points" or "years"), values (a
    difference a seed), mean, low, high (95 % interval over seeds), ahead (in how many seeds the
    method is better).
    """
    titles = {(line.experiment, line.row): line.title for line in results.itertuples()}
    lines = []
    for line in results.to_dict("records"):
        metric = METRICS[line["metric"]]
        for reference in REFERENCES:
            values = metric.factor * numbers(line[f"vs_{reference}_by_seed"])
            if len(values) < 2:
                continue
            found = over_seeds(values.tolist())
            against = titles.get((line["experiment"], line[reference]), line[reference])
            ahead = int((metric.sign * values > 0).sum())
            mean = (found.value, found.low, found.high)
            lines.append((line["title"], against, metric.unit, values, *mean, ahead))
    columns = ["method", "against", "unit", "values", "mean", "low", "high", "ahead"]
    return pd.DataFrame(lines, columns=columns)


def numbers(told: object) -> np.ndarray:
    """Values of a cell: a list, or as a file has it, with blanks between; NaN there: none."""
    if isinstance(told, list | np.ndarray):
        return np.asarray(told, dtype=float)
    return np.array(told.split() if isinstance(told, str) else [], dtype=float)


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """``by_seed``, ready to print."""
    seeds = table["values"]
    return pd.DataFrame(
        {
            "method": table["method"],
            "against": table["against"],
            f"difference, {table['unit'].iloc[0]}": intervals(
                table[["mean", "low", "high"]], sign="+"
            ),
            "better in": table["ahead"].astype(str) + " of " + seeds.map(len).astype(str),
            "seed by seed": [", ".join(f"{v:+.2f}" for v in values) for values in seeds],
        }
    )
