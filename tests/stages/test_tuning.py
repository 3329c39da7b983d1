"""Arms are chosen on validation, with seeds that are not reported, and the test set stays shut."""

import json

import pandas as pd
import pytest

from occkd_lib.results.store import open_store
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages import run_stage
from occkd_lib.stages.graph import all_stages
from tests.tiny import tiny_recipe

ARMS = [{"lr": 1e-9}, {"lr": 3e-3}, {"lr": 1e-8}]


def silent(line):
    pass


def tuned(seeds=(7, 8)):
    stages = {"standard": {"tune": ARMS}, "control": {"of": ["standard"], "tune": ARMS}}
    stages["student"] = {"lr": 1e-6}  # leaves something to be learnt by the middle arm
    return tiny_recipe(stages=stages, tuning_seeds=list(seeds))


def test_the_choice_is_the_tuning_seeds_and_is_recorded(outputs):
    recipe = tuned()
    run = run_stage(recipe, "age", 0, "standard", say=silent)
    record = json.loads((outputs / "tiny" / "age" / "choices" / "standard.json").read_text())
    means = {
        arm: sum(
            Run(run_folder("tiny", "age", seed, arm)).status["validation_metric"] for seed in (7, 8)
        )
        for arm in record["validation"]
    }
    assert record["chosen"] == max(means, key=means.get) == "standard@lr=0.003"
    assert record["tuning_seeds"] == [7, 8]
    assert run.status["config"]["settings"]["lr"] == 3e-3
    others = [f for f in (outputs / "tiny" / "age" / "seed0").iterdir() if "@" in f.name]
    assert [f.name for f in others] == ["standard@lr=0.003"]  # no other arm with a reported seed
    assert open_store(recipe).seeds("age") == [0]  # what was chosen with is never reported


def test_the_choice_does_not_read_the_test_faces(outputs):
    """Every answer to a test face is spoilt before the choice: the choice stays the same."""
    recipe = tuned((7,))
    for arm in recipe.experiment("age").tuned_arms("standard"):
        run = run_stage(recipe, "age", 7, arm, say=silent)
        table = pd.read_parquet(run.folder / "predictions.parquet")
        table.loc[table["split"] == "test", "prediction"] = 0.0 if "0.003" in arm else 50.0
        table.to_parquet(run.folder / "predictions.parquet")
        (run.folder / "metrics.json").unlink()
    run_stage(recipe, "age", 0, "standard", say=silent)
    record = json.loads((outputs / "tiny" / "age" / "choices" / "standard.json").read_text())
    assert record["chosen"] == "standard@lr=0.003"


def test_what_is_run_with_a_tuning_seed():
    chosen = tuned().experiment("age")
    stages = all_stages(chosen, 7)
    assert {s for s in stages if "@" in s} == {
        f"{stage}@lr={lr}"
        for stage in ("standard", "control")
        for lr in ("1e-09", "0.003", "1e-08")
    }
    assert {s for s in stages if "@" not in s} == {"teacher", "student"}
    assert not any("@lr=" in s for s in all_stages(chosen, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tuning_seeds": []}, "set tuning_seeds"),
        ({"tuning_seeds": [0]}, "would be chosen with and reported"),
        (
            {"tuning_seeds": [7], "stages": {"control": {"of": ["standard"], "tune": ARMS[:2]}}},
            "among 3 arms, its control among 2",
        ),
    ],
)
def test_unfair_choices_are_refused(change, said):
    stages = {"standard": {"tune": ARMS}, "control": {"of": ["standard"], "tune": ARMS}}
    stages |= change.pop("stages", {})
    with pytest.raises(ValueError, match=said):
        tiny_recipe(stages=stages, **change)


def test_a_control_has_as_many_arms():
    more = [*ARMS, {"lr": 3e-3, "lam": 0.1}]
    stages = {"standard": {"tune": more}, "control": {"of": ["standard"], "tune": ARMS}}
    with pytest.raises(ValueError, match="chosen among 4 arms, its control among 3"):
        tiny_recipe(stages=stages, tuning_seeds=[7])
