import json

import pytest

from occkd_lib.evaluation import accuracy
from occkd_lib.results import (
    every_prediction,
    faces_table,
    finished_table,
    open_store,
    protocol,
    stage_table,
)
from occkd_lib.results.protocol import in_words

from .conftest import FUSED, make_recipe, write_run


def test_every_prediction_is_kept(full):
    table = every_prediction(full.answers("expression"))
    rows = table[(table["row"] == "standard") & (table["seed"] == 1)]
    assert len(rows) == 40 and set(rows["train_faces"]) == {"full+lower"}
    assert accuracy(rows["target"].to_numpy(), rows["prediction"].to_numpy()) == 30 / 40
    assert rows["duplicate_of_train"].sum() == 4 and rows["near_copy_of_train"].sum() == 6
    assert len(table) == 2 * 40 * (3 + 5 + 4), "seeds, faces, and three views of the teacher"


def test_years_are_kept_to_hundredths(outputs):
    recipe = make_recipe("age")
    run = write_run(recipe, "age", 0, "student", 3)
    table = run.predictions
    table["prediction"] = table["target"] + 1.23456
    run.save_table("predictions.parquet", table)
    kept = every_prediction(open_store(recipe).answers("age"))
    exact = table.loc[table["split"] == "test", "prediction"].to_numpy()
    assert kept["prediction"].dtype == "float32"
    assert abs(kept["prediction"].to_numpy() - exact).max() <= 0.005 + 1e-5
    assert abs(kept["prediction"].to_numpy() - exact).max() > 0


def test_protocol(full):
    content = json.loads(json.dumps(protocol(full)))
    assert content["recipe"]["name"] == "tiny" and "library_hash" in content["report"]
    facts = content["experiments"]["gender"]
    assert facts["n"] == {"train": 100, "val": 40, "test": 40}
    assert facts["faces_fingerprint"] == "abc" and facts["label_rule"] is None
    assert content["experiments"]["expression"]["label_rule"] == "majority"
    assert facts["test_faces_that_duplicate_train"] == 4
    assert facts["test_faces_that_nearly_copy_train"] == 6
    assert len(facts["runs"]) == 7
    run = facts["runs"]["seed0/fusion"]
    assert {"wall_seconds", "environment", "fingerprint", "peak_memory_mib"} <= run.keys()
    assert "config" not in run


def test_experiments_without_runs_are_left_out(outputs):
    store = open_store(make_recipe("gender", "age"))
    assert protocol(store)["experiments"] == {} and stage_table(store).empty
    write_run(store.recipe, "age", 0, "teacher", 1)
    assert list(protocol(store)["experiments"]) == ["age"]


def test_one_line_a_stage(full):
    table = stage_table(full)
    rows = table[table["experiment"] == "expression"].set_index("stage")
    assert rows["seeds"].eq(2).all() and len(rows) == 7
    assert (rows.loc["triplet", "epochs"], rows.loc["triplet", "lr"]) == (2, 0.1)
    assert (rows.loc["fusion", "epochs"], rows.loc["triplet", "selected"]) == ("", 2)
    assert rows["minutes"].tolist() == pytest.approx([0] * 7, abs=0.1)


def test_whose_faces(full):
    table = faces_table(full)
    assert list(table) == ["expression", "gender", "age"]
    gender = table["gender"]
    assert gender[["data", "train", "val", "test"]].tolist() == ["utkface", 100, 40, 40]
    assert gender[["visible", "fingerprint"]].tolist() == ["upper half", "abc"]
    assert (gender["test faces identical to a training face"], gender["or nearly so"]) == (4, 6)
    assert table.loc["label rule"].tolist() == ["majority", "", ""]


def test_what_is_finished_and_what_is_missing(outputs):
    recipe = make_recipe("gender", "age")
    stages = recipe.experiments["gender"].order()
    for stage in stages[:-1]:
        write_run(recipe, "gender", 0, stage, 3)
    write_run(recipe, "gender", 2, stages[0], 3)
    table = finished_table(open_store(recipe))
    assert table.loc["gender", "runs"] == "7 of 14", "another seed than the recipe's counts, too"
    rest = f"seed 0: {stages[-1]}; seed 2: {', '.join(stages[1:])}"
    assert table.loc["gender", "missing"] == rest
    assert table.loc["age"].tolist() == [
        "0 of 7", "none", "seed 0: all", "occkd run tiny --only age",
    ]  # fmt: skip
    write_run(recipe, "gender", 0, stages[-1], 3 if stages[-1] != "fusion" else FUSED)
    assert finished_table(open_store(recipe)).loc["gender", "complete seeds"] == "0"


def test_seeds_that_lack_the_same_are_named_together(full):
    gaps = {0: ["a", "b"], 1: [], 2: ["b"], 3: ["a", "b"]}
    assert in_words(gaps, ["a", "b"]) == "seeds 0, 3: all; seed 2: b"
    done = finished_table(full)
    assert done.loc["expression"].tolist() == ["14 of 14", "0, 1", "", ""]
