"""AffectNet's published validation set is the test set: nothing to choose on, all the way."""

import re

import pandas as pd

from occkd_lib.plots import learning_curves
from occkd_lib.results import collect, open_store
from occkd_lib.results.ablations import ablation_table, questions, sentence
from occkd_lib.runs import Run, run_folder
from occkd_lib.site import write_results
from occkd_lib.stages import run_stage
from tests.data.readers.test_affectnet import row, write_lists

from .conftest import make_recipe


def test_from_the_lists_to_the_results(tmp_path, outputs, monkeypatch):
    train = [row(f"{i % 3}/t{i:02}.png", i % 8) for i in range(48)]
    test = [row(f"9/v{i:02}.png", i % 8) for i in range(16)]
    write_lists(tmp_path / "data" / "affectnet", train, test)
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path / "data"))
    last = {"epochs": 1, "lr": 0.001, "select": "last"}
    stages = {
        "teacher": last,
        "student": last,
        "standard": {**last, "kind": "soft_targets", "lam": 0.5},
        "triplet": {**last, "lam": 0.2, "alpha": 0.1, "fraction": 0.5},
        "control": {"of": ["standard", "triplet"]},
        "fusion": {"C": [1]},
    }
    recipe = make_recipe("expression", data={"name": "affectnet"}, batch_size=16, stages=stages)
    said: list[str] = []
    run_stage(recipe, "expression", 0, "fusion", say=said.append)
    assert len(said) == 5
    assert all("  no validation  " in line for line in said)
    store = open_store(recipe)
    values = collect(store)
    assert values["validation"].isna().all()
    assert values["value"].between(0, 1).all()
    question = questions(recipe.experiments["expression"])["embeddings"]
    table = ablation_table(store, "expression", question)
    assert "Validation prefers" not in sentence(table, "accuracy")
    folder = write_results(recipe)
    kept = pd.read_parquet(folder / "predictions-expression.parquet")
    assert kept["id"].nunique() == 16, "the test faces alone"
    page = (folder / "index.html").read_text()
    assert "table1.csv" in page
    assert "nan" not in re.findall(r"<td>(.*?)</td>", page)
    assert "figures/expression-embeddings.png" in page, "weights and data are here"
    assert "figures/grad-cam-expression.png" in page
    history = Run(run_folder("tiny", "expression", 0, "teacher")).history
    curves = learning_curves({"teacher": history}, "accuracy")
    assert [ax.get_title(loc="left") for ax in curves.axes] == ["Training loss"]
