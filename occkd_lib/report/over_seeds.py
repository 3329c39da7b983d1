"""What another training would do: the differences of ``summary``, seed by seed.

The tests of chapter 9 take the test faces as the sample and the networks as given. Here the
trainings are the sample. A seed is one whole training: teacher, student and what is distilled from
them; both sides of a difference share their seed's teacher and student.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Recipe
from occkd_lib.evaluation import over_seeds
from occkd_lib.report import figures, forests
from occkd_lib.report.evidence import METHODS, title
from occkd_lib.report.page import Section
from occkd_lib.report.tables import OFFICIAL, with_interval

SENTENCE = (
    "One difference a seed, and their mean with Student's 95 % interval over seeds: what another "
    "training would do with the same faces. With so few seeds it is wide; where it holds zero, the "
    "gain of these trainings may be luck, however small p is over the faces."
)


def sections(recipe: Recipe, results: pd.DataFrame) -> Iterator[Section]:
    """A table and a figure for every experiment with two finished seeds or more."""
    for name in recipe.experiments:
        main = results[(results["experiment"] == name) & (results["subset"] == OFFICIAL)]
        table = by_seed(main[main["metric"] != "weighted_accuracy"])
        if len(table):
            yield Section(f"Over seeds {name}", printed(table), SENTENCE, forest(table))


def by_seed(results: pd.DataFrame) -> pd.DataFrame:
    """One row per (method, reference) with two seeds or more; ``results``: rows of ``summary``.

    Columns: method, against, unit ("points" or "years"), values (a difference a seed), mean, low,
    high (95 % interval over seeds), ahead (in how many seeds the method is better).
    """
    rows = []
    for row in results.to_dict("records"):
        years = row["metric"] == "mae_years"
        control = METHODS[row["method"]].control
        titles = {"student": "student", "control": title(control, years=years) if control else ""}
        for reference, against in titles.items():
            values = (1 if years else 100) * np.asarray(row[f"vs_{reference}_by_seed"])
            if len(values) < 2:
                continue
            found = over_seeds(values.tolist())
            rows.append(
                {
                    "method": title(row["method"], years=years),
                    "against": against,
                    "unit": "years" if years else "points",
                    "values": values,
                    "mean": found.value,
                    "low": found.low,
                    "high": found.high,
                    "ahead": int((values < 0).sum() if years else (values > 0).sum()),
                }
            )
    return pd.DataFrame(rows)


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """``by_seed`` as text."""
    return pd.DataFrame(
        {
            "method": table["method"],
            "against": table["against"],
            f"difference, {table['unit'].iloc[0]}": [
                with_interval(r.mean, r.low, r.high, sign="+")
                for r in table[["mean", "low", "high"]].itertuples(name="Mean")
            ],
            "better in": [f"{r.ahead} of {len(r.values)}" for r in table.itertuples()],
            "seed by seed": [", ".join(f"{v:+.2f}" for v in values) for values in table["values"]],
        }
    )


def forest(table: pd.DataFrame) -> Figure:
    """Each seed's difference (rings), their mean with its interval over seeds."""
    unit = table["unit"].iloc[0]
    columns = ["method", "against", "mean", "low", "high"]
    dots = [
        forests.Dot(
            f"{method}  −  {against}", mean, low, high,
            "0.5" if low <= 0 <= high else figures.PALETTE[0],
        )
        for method, against, mean, low, high in table[columns].to_numpy()
    ]  # fmt: skip
    figure = forests.forest(
        dots,
        f"difference, {unit} ({forests.wanted(unit)}); rings: seeds\n"
        "blue: the 95 % interval over seeds leaves zero out",
    )
    for y, values in enumerate(table["values"]):
        figure.axes[0].plot(values, [y] * len(values), "o", mfc="none", mec="0.2", ms=5, mew=0.8)
    return figure
