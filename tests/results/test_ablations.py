import numpy as np
import pandas as pd
import pytest

from occkd_lib.config import load_recipe
from occkd_lib.errors import OcckdError
from occkd_lib.results import Source, open_store
from occkd_lib.results.ablations import (
    ablation_table,
    arms,
    questions,
    sections,
    sentence,
    stages_of,
)

from .conftest import FIT, FUSED, MISTAKES, experiment, make_recipe, write_run, write_seed

ARMS = [{"epochs": 1}, {"epochs": 1, "alpha": 0.0}, {"epochs": 1, "alpha": 0.5, "lam": 0.1}]
MARGIN = {"margin": {"question": "Which margin?", "stage": "triplet", "arms": ARMS}}
STANDING = ["curriculum", "views", "embeddings"]


@pytest.fixture
def armed(outputs):
    """Two seeds: the arms make 12, 10 and 4 mistakes in 40 (one more in seed 1), the control 8."""
    recipe = make_recipe("expression", ablations=MARGIN)
    chosen = recipe.experiment("expression")
    for seed in (0, 1):
        stages = chosen.ablation_stages(chosen.ablations["margin"])
        for stage, wrong in zip(stages, (12, 10, 4, 8), strict=True):
            write_run(recipe, "expression", seed, stage, wrong + seed)
    return open_store(recipe)


def test_the_standing_questions_and_the_recipe_s():
    asked = questions(make_recipe("expression", ablations=MARGIN).experiment("expression"))
    assert list(asked) == [*STANDING, "margin"]
    assert {name: list(question.sources) for name, question in asked.items()} == {
        "curriculum": ["student", "teacher", "control", "standard", "triplet"],
        "views": [
            "teacher, full face", "teacher, lower half", "student, lower half",
            "teacher, upper half", "other_half, upper half",
        ],
        "embeddings": [
            "control_svm", "standard", "triplet", "standard_svm", "triplet_svm", "standard+triplet",
        ],
        "margin": ["recipe: alpha 0.1, lam 0.5", "alpha 0.0", "alpha 0.5, lam 0.1", "control"],
    }  # fmt: skip
    assert asked["curriculum"].sources["teacher"] == Source("teacher", "", "lower")
    needed = stages_of(asked)
    assert len(needed) == len(set(needed)) == 10 and "triplet@epochs=1,alpha=0.0" in needed


def without(*stages: str, **more) -> dict:
    kept = experiment("expression")["stages"]
    return {name: s for name, s in kept.items() if name not in stages} | more


@pytest.mark.parametrize(
    ("stages", "asked"),
    [
        (without("other_half"), ["curriculum", "embeddings"]),
        (without("fusion"), ["curriculum", "views"]),
        (without("control", fusion={"of": ["standard", "triplet"]}), STANDING),
        (without("control", "standard", "triplet", "fusion"), ["views"]),
        ({"teacher": FIT}, []),
    ],
)
def test_what_an_experiment_has_no_stages_for_is_not_asked(stages, asked):
    found = questions(make_recipe("expression", stages=stages).experiment("expression"))
    assert list(found) == asked


def test_nothing_is_asked_of_views_where_nothing_is_hidden():
    recipe = make_recipe("expression", visible="full", stages=without("other_half"))
    found = questions(recipe.experiment("expression"))
    assert "views" not in found and "standard" in found["curriculum"].sources


def test_stages_by_any_other_name():
    """Two students, two controls; names say nothing, the graph does."""
    kd = {**FIT, "method": "standard", "kind": "soft_targets", "lam": 0.5}
    stages = {
        "whole": {**FIT, "method": "teacher"},
        "half": {**FIT, "method": "student", "start": "whole"},
        "kd": {**kd, "teacher": "whole", "start": "half"},
        "patience": {**FIT, "method": "control", "of": ["kd"], "start": "half"},
        "svms": {"method": "fusion", "of": ["kd", "patience"]},
    }
    asked = questions(make_recipe("expression", stages=stages).experiment("expression"))
    assert list(asked["curriculum"].sources) == ["half", "whole", "patience", "kd"]
    assert list(asked["embeddings"].sources) == ["patience_svm", "kd", "kd_svm"]


def test_a_recipe_may_ask_with_some_seeds_only():
    chosen = make_recipe("expression", ablations=MARGIN).experiment("expression")
    some = chosen.model_copy(update={"ablation_seeds": (0, 2)})
    assert questions(chosen, 7).keys() == questions(some, 2).keys() == questions(some).keys()
    assert list(questions(some, 1)) == STANDING


def test_labels_leave_out_what_all_arms_share(armed):
    chosen = armed.recipe.experiment("expression")
    found = arms(chosen, chosen.ablations["margin"])
    assert list(found.values())[1] == Source("triplet@epochs=1,alpha=0.0", "", "lower")
    assert "epochs" not in "".join(found)


def test_table_by_hand(armed):
    """Mistakes 12, 10, 4, 8 in 40, seed 1 one more: means 31.25, 26.25, 11.25 and 21.25 %."""
    question = questions(armed.recipe.experiment("expression"))["margin"]
    assert armed.complete_seeds("expression", stages_of({"": question})) == [0, 1]
    table = ablation_table(armed, "expression", question)
    heading = "accuracy, %"
    assert table[heading].tolist() == [68.75, 73.75, 88.75, 78.75]
    assert table["validation"].tolist() == table[heading].tolist()
    assert table["difference"].tolist()[1:] == [5.0, 20.0, 10.0]
    assert np.isnan(table["difference"].iloc[0])
    assert table["seeds"].eq(2).all() and table["n"].eq(40).all()
    inside = table.iloc[1:]
    assert (inside["difference low"] <= inside["difference"]).all()
    assert (inside["p (Holm)"] >= inside["p"]).all()
    one = ablation_table(armed, "expression", question, [0])
    assert one[heading].iloc[0] == 70.0
    # McNemar by hand: 8 faces that only the arm gets right, none the other way: 2 / 2^8
    assert one.loc["alpha 0.5, lam 0.1", "p"] == pytest.approx(2 / 2**8, abs=1e-4)


def test_a_question_without_a_finished_seed_says_what_is_missing(armed):
    asked = questions(armed.recipe.experiment("expression"))
    with pytest.raises(OcckdError, match="no seed has all of student, teacher"):
        ablation_table(armed, "expression", asked["curriculum"])


def test_standing_questions_of_finished_runs(full):
    asked = questions(full.recipe.experiment("gender"))
    heading = "accuracy, %"
    curriculum = ablation_table(full, "gender", asked["curriculum"])
    wrong = [MISTAKES[name] for name in curriculum.index]
    assert curriculum[heading].tolist() == [100 * (1 - w / 40) for w in wrong]
    views = ablation_table(full, "gender", asked["views"])
    assert views.loc["other_half, lower half", heading] == 100 * (1 - MISTAKES["other_half"] / 40)
    embeddings = ablation_table(full, "gender", asked["embeddings"])
    assert embeddings.loc["standard+triplet", "difference"] == pytest.approx(
        100 * (FUSED["control_svm"] - FUSED["standard+triplet"]) / 40
    )


def test_sections_hold_what_is_finished(armed):
    (only,) = sections(armed)
    assert only.title == "Ablation expression margin" and only.heading == "Which margin?"
    assert only.text["arm"].tolist()[1:] == ["alpha 0.0", "alpha 0.5, lam 0.1", "control"]
    against = only.text["against recipe: alpha 0.1, lam 0.5"]
    assert against.iloc[0] == "" and against.iloc[2].startswith("+20.00 [+")
    assert only.text.map(lambda cell: isinstance(cell, str)).all().all()
    assert only.sentence.startswith(
        "Which margin? Of these networks, compared with recipe: alpha 0.1, lam 0.5"
    )
    assert only.table["difference"].iloc[2] == 20


def test_without_validation_nothing_is_preferred(outputs):
    recipe = make_recipe("gender")
    write_seed(recipe, "gender", 0, splits=("test",))
    store = open_store(recipe)
    question = questions(recipe.experiments["gender"])["embeddings"]
    table = ablation_table(store, "gender", question)
    assert table["validation"].isna().all()
    assert "Validation prefers" not in sentence(table, "accuracy")


def made_up(differences, p, validation):
    table = pd.DataFrame(
        {"validation": validation, "difference": [np.nan, *differences], "p (Holm)": [np.nan, *p]},
        index=["first", "a", "b"],
    )
    table["difference low"] = table["difference"] - 1
    table["difference high"] = table["difference"] + 1
    return table


@pytest.mark.parametrize(
    ("metric", "differences", "p", "validation", "said"),
    [
        (
            "accuracy", [2.0, -0.5], [0.01, 0.8], [70, 72, 71],
            "Of these networks, compared with first: "
            "a is better (+2.00 [+1.00, +3.00] points, p 0.010); the rest is "
            "not told apart. Validation prefers a.",
        ),
        (
            "mean_absolute_error", [2.0, -1.5], [0.01, 0.02], [7, 8, 6],
            "Of these networks, compared with first: "
            "a is worse (+2.00 [+1.00, +3.00] years, p 0.010); b is better "
            "(-1.50 [-2.50, -0.50] years, p 0.020). Validation prefers b.",
        ),
        (
            "accuracy", [0.1, 0.2], [1.0, 1.0], [70, 72, 72],
            "Of these networks, compared with first: "
            "nothing is told apart by these faces. Validation prefers a and b "
            "alike.",
        ),
        (
            "accuracy", [0.1, 0.2], [1.0, 1.0], [np.nan] * 3,
            "Of these networks, compared with first: nothing is told apart by these faces.",
        ),
    ],
)  # fmt: skip
def test_sentence(metric, differences, p, validation, said):
    assert sentence(made_up(differences, p, validation), metric) == said


def test_where_every_network_meets_every_view_the_question_about_views_is_not_asked():
    """It would ask for answers to validation faces on views that only test faces are shown on."""
    demo = load_recipe("demo").experiments
    assert demo["occluders"].test_views
    assert "views" not in questions(demo["occluders"])
    assert "views" in questions(demo["expression"])
