"""The published results of recipe laptop: their predictions give their numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occkd_lib.config import load_recipe
from occkd_lib.results import OFFICIAL, WITHOUT_COPIES, summary
from occkd_lib.results.store import Answers, Store
from occkd_lib.stages import rows_of

FOLDER = Path(__file__).parents[2] / "outputs" / "reference" / "laptop"
BY_SEED = ["values"] + [f"{p}vs_{x}_by_seed" for p in ("", "p_") for x in ("student", "control")]


def renamed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows as they are called now; when these were written, a student's name held its half."""
    half = load_recipe("laptop").experiments[name].visible
    other = {"lower": "upper", "upper": "lower"}[half]
    now = {f"student_{half}": "student", f"student_{other}": "other_half"}
    return table.assign(row=table["method"].replace(now))


class Kept(Store):
    """A store that reads the predictions which were published with the results."""

    def __init__(self, name: str) -> None:
        recipe = load_recipe("laptop")
        super().__init__(
            recipe.model_copy(update={"experiments": {name: recipe.experiments[name]}})
        )
        table = pd.read_parquet(FOLDER / f"predictions-{name}.parquet")
        table = renamed(table, name)
        rows = rows_of(recipe.experiments[name])
        self.found = []
        for key, row in rows.items():
            part = table[(table["row"] == key[0]) & (table["test_faces"] == key[1])]
            seeds = dict(list(part.groupby("seed")))
            if not seeds:
                continue
            first = next(iter(seeds.values()))
            near = first.get("near_copy_of_train", first["duplicate_of_train"])
            self.found.append(
                Answers(
                    experiment=name,
                    row=row,
                    faces=first.assign(near_copy_of_train=near),
                    predictions={k: p["prediction"].to_numpy() for k, p in seeds.items()},
                )
            )

    def answers(self, experiment, *, split="test", data=None):
        return self.found if split == "test" else []


@pytest.mark.parametrize("name", ["fer", "gender", "age"])
def test_the_published_predictions_give_the_published_numbers(name):
    before = pd.read_csv(FOLDER / "summary.csv")
    before = before[before["experiment"] == name]
    keys = ["row", "test_faces", "metric", "subset"]
    before = before.set_index(keys)
    now = summary(Kept(name)).set_index(keys)
    now = now[now.index.get_level_values("subset").isin([OFFICIAL, WITHOUT_COPIES])]
    assert len(now) == len(before)
    before = before.loc[now.index]
    for column in before.columns.intersection(now.columns):
        if column in BY_SEED:
            lists = before[column].fillna("").str.split().map(lambda v: [float(x) for x in v])
            for old, new in zip(lists, now[column], strict=True):
                np.testing.assert_allclose(new, old, rtol=1e-12, err_msg=column)
        elif pd.api.types.is_float_dtype(now[column]):
            np.testing.assert_allclose(now[column], before[column], rtol=1e-12, err_msg=column)
    exact = ["train_faces", "n", "seeds"]
    assert now[exact].to_numpy().tolist() == before[exact].to_numpy().tolist()
    assert now[["vs_student", "p_vs_control"]].notna().any().all()
