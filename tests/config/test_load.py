import pytest
import yaml

from occkd_lib.config import (
    arm_name,
    builtin_recipes,
    load_recipe,
    merge,
    parse_arm,
)
from occkd_lib.errors import OcckdError


def write(tmp_path, change):
    recipe = {
        "name": "mine",
        "description": "a test",
        "defaults": {
            "data": {"name": "synthetic", "faces": 60},
            "network": {"name": "compact"},
            "stages": {
                "teacher": {"epochs": 2, "lr": 0.1},
                "student": {"epochs": 2, "lr": 0.1},
                "standard": {"epochs": 2, "lr": 0.1, "kind": "hint", "lam": 0.5},
                "triplet": {"epochs": 2, "lr": 0.1, "lam": 0.5, "alpha": 0.1},
                "control": {"of": ["standard", "triplet"]},
            },
        },
        "experiments": {"gender": {"task": "gender", "visible": "upper"}},
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(merge(recipe, change)))
    return path


def test_defaults_are_merged_key_by_key(tmp_path):
    change = {"experiments": {"gender": {"stages": {"triplet": {"lam": 0.7}}}}}
    triplet = load_recipe(write(tmp_path, change)).experiment("gender").stages["triplet"]
    assert (triplet.lam, triplet.alpha, triplet.epochs) == (0.7, 0.1, 2)


@pytest.mark.parametrize("name", builtin_recipes())
def test_every_recipe_of_the_book_is_valid(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert all(e.seeds for e in recipe.experiments.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"defaults": {"stages": {"teacher": {"epochz": 2}}}},
            "teacher.epochz: there is no such setting: did you mean 'epochs'?",
        ),
        (  # not what else is wrong, perhaps only because of it
            {"defaults": {"data": {"name": "synthetic", "facs": 5, "faces": "x"}}},
            "facs: there is no such setting: did you mean 'faces'?",
        ),
        ({"defaults": {"stages": {"teacher": {"epochs": -3}}}}, "teacher.epochs: Input should be"),
        (
            {"defaults": {"stages": {"teacher": {"optimizer": "admaw"}}}},
            "teacher.optimizer: Input should be 'sgd', 'adam' or 'adamw': did you mean 'adamw'?",
        ),
        (
            {"experiments": {"gender": {"task": "gendr"}}},
            "has no task 'gendr': expression, gender, age: did you mean 'gender'?",
        ),
        ({"defaults": {"stages": {"standard": {"lam": 1.5}}}}, "standard.lam: Input should be"),
        ({"experiments": {"gender": {"task": "mood"}}}, "no task 'mood'"),
        (
            {"experiments": {"gender": {"task": "age"}}},
            "stages.triplet: task 'age' needs max_target_gap",
        ),
        (
            {"defaults": {"data": {"name": "ferplus", "faces": None}}},
            "labels must be given: one of 'majority'",
        ),
        ({"defaults": {"data": {"labels": "majority"}}}, "labels: there is no such setting"),
        ({"nmae": "x"}, "nmae: there is no such setting: did you mean 'name'?"),
        ({"defaults": {"stages": {"standard": {"kind": "soft_targets"}}}}, "kind must be hint"),
        (
            {
                "defaults": {
                    "ablations": {
                        "a": {"question": "?", "stage": "triplet", "arms": [{}, {"alpha": -1}]}
                    }
                }
            },
            "triplet@alpha=-1: alpha: Input should be greater",
        ),
        (
            {
                "defaults": {"data": {"name": "affectnet", "faces": None}},
                "experiments": {"gender": {"task": "expression"}},
            },
            "the data set has no validation split",
        ),
        (
            {"defaults": {"stages": {"triplet": {"tune": [{"alpha": 0.1}, {"alfa": 0.2}]}}}},
            "stages.triplet: alfa: there is no such setting: did you mean 'alpha'?",
        ),
        (
            {"defaults": {"stages": {"fusion": {"tune": [{"C": 0.1}]}}}},
            "stages.fusion: cannot be tuned",
        ),
    ],
)
def test_a_wrong_recipe_names_the_file_and_the_key(tmp_path, change, message):
    path = write(tmp_path, change)
    with pytest.raises(OcckdError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ({}, "triplet"),
        ({"alpha": 0.1}, "triplet@alpha=0.1"),
        ({"mining": "random", "squared": False}, "triplet@mining=random,squared=false"),
        ({"lr": 1e-05, "epochs": 3}, "triplet@lr=1e-05,epochs=3"),
    ],
)
def test_arms_have_names_that_can_be_read_back(tmp_path, arm, name):
    assert arm_name("triplet", arm) == name
    assert parse_arm(name) == ("triplet", arm)
    gender = load_recipe(write(tmp_path, {})).experiment("gender")
    assert gender.settings(name).model_dump() == gender.stages["triplet"].model_dump() | arm


def test_an_experiment_may_be_like_one_above_it(tmp_path):
    change = {
        "experiments": {
            "other": {"like": "gender", "visible": "lower"},
            "third": {"like": "other", "stages": {"teacher": {"lr": 0.3}}},
        }
    }
    recipe = load_recipe(write(tmp_path, change))
    assert recipe.experiment("third").visible == "lower"
    assert recipe.experiment("third").stages["teacher"].lr == 0.3
    assert recipe.experiment("other").stages == recipe.experiment("gender").stages
    with pytest.raises(OcckdError, match="first.like: nothing called 'gender' above it"):
        load_recipe(write(tmp_path, {"experiments": {"first": {"like": "gender"}}}))


def test_what_is_no_recipe(tmp_path):
    with pytest.raises(OcckdError, match="demo"):
        load_recipe("no_such_recipe")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1")
    with pytest.raises(OcckdError, match="not valid YAML"):
        load_recipe(broken)
    broken.write_text("just text")
    with pytest.raises(OcckdError, match="experiments"):
        load_recipe(broken)
    with pytest.raises(OcckdError, match="it has: expression, gender, age"):
        load_recipe("demo").experiment("mood")


def test_seeds_that_chapters_tell_and_quiet_ones():
    experiment = load_recipe("demo").experiment("expression")
    assert experiment.quiet_seeds == (1, 2)
    assert experiment.varied({"chapter_seeds": None}).quiet_seeds == ()
    with pytest.raises(ValueError, match=r"chapter_seeds: \(3,\) are not all among the seeds"):
        experiment.varied({"chapter_seeds": [3]})


def test_a_misspelt_title(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nexperimnts: {}\n")
    with pytest.raises(OcckdError, match="did you mean 'experiments'"):
        load_recipe(path)
