"""What was chosen on validation is told as it was recorded."""

import json

import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import open_store, protocol
from occkd_lib.results.choices import choice, choices

from .conftest import make_recipe, write_run

ARMS = [{"lr": 0.1, "lam": 0.5}, {"lr": 0.2, "lam": 0.5}]
STANDARD = "standard@lr=0.1,lam=0.5", "standard@lr=0.2,lam=0.5"


@pytest.fixture
def recipe(outputs):
    content = make_recipe("age").experiments["age"].model_dump(mode="json")
    for stage in ("standard", "control"):
        content["stages"][stage]["tune"] = (
            ARMS if stage == "standard" else [{"lr": 0.1}, {"lr": 0.2}]
        )
    content["stages"]["triplet"]["lr"] = content["stages"]["standard"]["lr"]
    recipe = make_recipe("age", stages=content["stages"], tuning_seeds=[7, 8])
    path = outputs / recipe.name / "age" / "choices" / "standard.json"
    path.parent.mkdir(parents=True)
    years = {STANDARD[0]: {"7": -6.0, "8": -5.0}, STANDARD[1]: {"7": -5.0, "8": -5.5}}
    path.write_text(json.dumps({"stage": "standard", "chosen": STANDARD[1], "validation": years}))
    return recipe


def test_arms_with_their_validation_in_the_unit_of_the_tables(recipe):
    table = choices(open_store(recipe), "age")
    assert table["stage"].tolist() == ["standard"] * 2, "the control is not chosen yet"
    assert table["arm"].tolist() == ["lr=0.1, lam=0.5", "lr=0.2, lam=0.5"]
    assert table["validation"].tolist() == [5.5, 5.25]
    assert table["chosen"].tolist() == [False, True]


def test_the_protocol_holds_the_choices(recipe):
    write_run(recipe, "age", 0, "teacher", 1)
    told = protocol(open_store(recipe))["experiments"]["age"]["choices"]
    assert told.keys() == {"standard", "control"} and told["control"] == {}
    assert told["standard"]["chosen"] == STANDARD[1]


def test_a_damaged_record_is_named(recipe, outputs):
    (outputs / recipe.name / "age" / "choices" / "standard.json").write_text("{")
    with pytest.raises(OcckdError, match=r"standard.json: not a record of a choice .*delete it"):
        choice(open_store(recipe), "age", "standard")
