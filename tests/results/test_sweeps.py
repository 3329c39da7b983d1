import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import open_store
from occkd_lib.results.sweeps import sweep, sweep_sentence, value_of, values_of

from .conftest import experiment, make_recipe, write_run

ARMS = [{"epochs": 1}, {"epochs": 1, "alpha": 0.5}, {"epochs": 1, "alpha": 0}]
ABLATIONS = {
    "margin": {"question": "Which margin?", "stage": "triplet", "arms": ARMS},
    "two": {"question": "?", "stage": "triplet", "arms": [*ARMS, {"epochs": 1, "lam": 0.1}]},
    "word": {
        "question": "?",
        "stage": "triplet",
        "arms": [{"epochs": 1}, {"epochs": 1, "mining": "random"}],
    },
}


@pytest.fixture
def store(outputs):
    """alpha 0.1 (the recipe's), 0.5 and 0 make 4, 16 and 6 mistakes in 40, the control 8."""
    recipe = make_recipe("expression", ablations=ABLATIONS)
    chosen = recipe.experiment("expression")
    for seed in (0, 1):
        stages = chosen.ablation_stages(chosen.ablations["margin"])
        for stage, wrong in zip(stages, (4, 16, 6, 8), strict=True):
            write_run(recipe, "expression", seed, stage, wrong + seed)
    return open_store(recipe)


def test_a_row_a_value_in_their_order_and_the_control_last(store):
    table = sweep(store, "expression", "margin", "accuracy")
    assert list(table.index) == [0, 0.1, 0.5, "control"] and table.index.name == "alpha"
    assert table["accuracy, %"].tolist() == [83.75, 88.75, 58.75, 78.75]
    assert table["validation"].tolist() == [83.75, 88.75, 58.75, 78.75]
    assert table["own"].tolist() == [False, True, False, False]
    assert table["difference"].fillna(0).tolist() == [-5, 0, -30, -10]
    assert table["seeds"].tolist() == [2] * 4


def test_the_sentence_follows_from_the_numbers(store):
    table = sweep(store, "expression", "margin", "accuracy")
    assert sweep_sentence(table, "accuracy") == (
        "alpha: against 0.1, 0.5 is worse; validation prefers 0.1."
    )
    table["p (Holm)"] = 1.0
    table["validation"] = float("nan")
    assert sweep_sentence(table, "accuracy") == "alpha: against 0.1, no other value is told apart."


def test_no_verdict_near_chance(store):
    table = sweep(store, "expression", "margin", "accuracy")
    said = sweep_sentence(table, "accuracy", chance=60)  # the recipe's own reaches 88.75
    assert said == (
        "alpha: with the recipe's own value, 0.1, 88.8 % is near chance (60.0): no verdict."
    )
    assert sweep_sentence(table, "accuracy", chance=59) == sweep_sentence(table, "accuracy")


def test_what_is_no_curve(store):
    chosen = store.recipe.experiment("expression")
    with pytest.raises(OcckdError, match="not one setting"):
        values_of(chosen, "two")
    with pytest.raises(OcckdError, match="no number"):
        values_of(chosen, "word")


def test_values_by_default():
    stages = experiment("expression")["stages"]
    stages = {**stages, "teacher": {**stages["teacher"], "loss": {"name": "focal"}}}
    chosen = make_recipe("expression", stages=stages, batch_size=48).experiment("expression")
    assert value_of(chosen, "teacher", "loss.gamma") == 2.0
    assert value_of(chosen, "triplet", "batch_size") == 48
    assert value_of(chosen, "triplet@batch_size=16", "batch_size") == 16
    assert value_of(chosen, "triplet", "alpha") == 0.1
