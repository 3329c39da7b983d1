"""AffectNet's published validation set is the test set: nothing to choose on, all the way."""

import re

import pandas as pd

from occkd_lib.config import Recipe
from occkd_lib.report import ablations, collect, figures, write_results
from occkd_lib.runs import Run, run_folder
from occkd_lib.training.stages import run_stage

from ..data.test_affectnet import row, write_lists
from ..tiny import TINY


def test_from_the_lists_to_the_results(tmp_path, outputs, monkeypatch):
    train = [row(f"{i % 3}/t{i:02}.png", i % 8) for i in range(48)]
    test = [row(f"9/v{i:02}.png", i % 8) for i in range(16)]
    write_lists(tmp_path / "data" / "affectnet", train, test)
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path / "data"))
    last = {"epochs": 1, "lr": 0.001, "select": "last"}
    stages = {
        **{stage: last for stage in ("teacher", "student", "control")},
        "standard": {**last, "kind": "soft_targets", "lam": 0.5},
        "triplet": {**last, "lam": 0.2, "alpha": 0.1, "fraction": 0.5},
    }
    experiment = {
        "data": {"name": "affectnet"},
        "task": "expression",
        "visible": "lower",
        "network": {"name": "compact", **TINY["network"]},
        "batch_size": 16,
        "fusion": {"C": [1]},
        "stages": stages,
    }
    content = {"name": "tiny", "description": "one cell", "experiments": {"affectnet": experiment}}
    recipe = Recipe.model_validate(content)
    said: list[str] = []
    run_stage(recipe, "affectnet", 0, "fusion", say=said.append)
    assert len(said) == 5 and all("  no validation  " in line for line in said)
    values = collect(recipe)
    assert values["validation"].isna().all() and values["value"].between(0, 1).all()
    question = ablations.questions(recipe.experiments["affectnet"])["embeddings"]
    table = ablations.ablation_table(recipe, "affectnet", question)
    assert "Validation prefers" not in ablations.sentence(table, "accuracy")
    folder = write_results(recipe)
    kept = pd.read_parquet(folder / "predictions-affectnet.parquet")
    assert kept["id"].nunique() == 16, "the test faces alone"
    page = (folder / "index.html").read_text()
    assert "table1.csv" in page and "nan" not in re.findall(r"<td>(.*?)</td>", page)
    curves = figures.learning_curves(
        {"teacher": Run(run_folder("tiny", "affectnet", 0, "teacher")).history}
    )
    assert [ax.get_title(loc="left") for ax in curves.axes] == ["Training loss"]
