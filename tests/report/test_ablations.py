import numpy as np
import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.report.ablations import (
    ablation_table,
    arm_labels,
    finished,
    forest,
    questions,
    sections,
    sentence,
    stages_of,
)
from tests.report.conftest import FUSED, MISTAKES, make_recipe, write_run

ARMS = [{"epochs": 1}, {"epochs": 1, "alpha": 0.0}, {"epochs": 1, "alpha": 0.5, "lam": 0.1}]


def with_arms(recipe):
    """The recipe, asking its expression experiment about the margin."""
    content = recipe.model_dump()
    margin = {"question": "Which margin?", "stage": "triplet", "arms": ARMS}
    content["experiments"]["expression"]["ablations"] = {"margin": margin}
    return type(recipe).model_validate(content)


@pytest.fixture
def armed(outputs):
    """Two seeds: the arms make 12, 10 and 4 mistakes in 40 (one more in seed 1), the control 8."""
    recipe = with_arms(make_recipe("expression"))
    stages = recipe.experiment("expression").ablations["margin"].stages()
    for seed in (0, 1):
        for stage, wrong in zip(stages, (12, 10, 4, 8), strict=True):
            write_run(recipe, "expression", seed, stage, {stage.split("@")[0]: wrong + seed})
    return recipe


def test_the_standing_questions_and_the_recipe_s(full_recipe):
    asked = questions(with_arms(full_recipe).experiment("expression"))
    assert list(asked) == ["curriculum", "halves", "embeddings", "margin"]
    assert list(asked["margin"].looks) == [
        "recipe: alpha 0.1, lam 0.5", "alpha 0.0", "alpha 0.5, lam 0.1", "control",
    ]  # fmt: skip
    needed = stages_of(asked)
    assert needed[-1] == "fusion" and len(needed) == len(set(needed)) == 10
    one_half = full_recipe.experiment("expression").model_copy(update={"both_halves": False})
    assert "halves" not in questions(one_half)


def test_a_recipe_may_ask_with_some_seeds_only(full_recipe):
    chosen = with_arms(full_recipe).experiment("expression")
    some = chosen.model_copy(update={"ablation_seeds": (0, 2)})
    assert questions(chosen, 7).keys() == questions(some, 2).keys() == questions(some).keys()
    assert list(questions(some, 1)) == ["curriculum", "halves", "embeddings"]


def test_labels_leave_out_what_all_arms_share(full_recipe):
    experiment = with_arms(full_recipe).experiment("expression")
    labels = arm_labels(experiment, experiment.ablations["margin"])
    assert list(labels.values())[1] == "triplet@epochs=1,alpha=0.0"
    assert "epochs" not in "".join(labels)


def test_table_by_hand(armed):
    """Mistakes 12, 10, 4, 8 in 40, seed 1 one more: means 31.25, 26.25, 11.25 and 21.25 %."""
    question = questions(armed.experiment("expression"))["margin"]
    assert finished(armed, "expression", question) == [0, 1]
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
    asked = questions(armed.experiment("expression"))
    with pytest.raises(OcckdError, match="no seed has all of student_lower, teacher"):
        ablation_table(armed, "expression", asked["curriculum"])


def test_curriculum_halves_and_embeddings_of_finished_runs(full_recipe):
    asked = questions(full_recipe.experiment("gender"))
    heading = "accuracy, %"
    curriculum = ablation_table(full_recipe, "gender", asked["curriculum"])
    wrong = [MISTAKES[m] for m in ("student_upper", "teacher", "control", "standard", "triplet")]
    assert curriculum[heading].tolist() == [100 * (1 - w / 40) for w in wrong]
    halves = ablation_table(full_recipe, "gender", asked["halves"])
    assert halves.loc["student, lower", heading] == 100 * (1 - MISTAKES["student_lower"] / 40)
    embeddings = ablation_table(full_recipe, "gender", asked["embeddings"])
    assert embeddings.loc["TS + TL, SVM", "difference"] == pytest.approx(
        100 * (FUSED["control_svm"] - FUSED["standard+triplet"]) / 40
    )


def test_sections_hold_what_is_finished(armed):
    only = list(sections(armed))
    assert [section.title for section in only] == ["Ablation expression margin"]
    assert only[0].table["arm"].tolist()[1:] == ["alpha 0.0", "alpha 0.5, lam 0.1", "control"]
    assert only[0].table["against recipe: alpha 0.1, lam 0.5"].iloc[0] == ""
    assert only[0].table["against recipe: alpha 0.1, lam 0.5"].iloc[2].startswith("+20.00 [+")
    assert only[0].table.map(lambda cell: isinstance(cell, str)).all().all()
    assert only[0].sentence.startswith("Which margin? Compared with recipe: alpha 0.1, lam 0.5")


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
            "Compared with first: a is better (+2.00 [+1.00, +3.00] points, p 0.010); the rest is "
            "not told apart. Validation prefers a.",
        ),
        (
            "mean_absolute_error", [2.0, -1.5], [0.01, 0.02], [7, 8, 6],
            "Compared with first: a is worse (+2.00 [+1.00, +3.00] years, p 0.010); b is better "
            "(-1.50 [-2.50, -0.50] years, p 0.020). Validation prefers b.",
        ),
        (
            "accuracy", [0.1, 0.2], [1.0, 1.0], [np.nan] * 3,
            "Compared with first: nothing is told apart by these faces.",
        ),
    ],
)  # fmt: skip
def test_sentence(metric, differences, p, validation, said):
    assert sentence(made_up(differences, p, validation), metric) == said


def test_a_row_far_off_is_written_at_the_edge():
    table = made_up([-70.0, 0.5], [0.0, 0.5], [1, 2, 3])
    extra = table.loc[["b", "b", "b"]].set_axis(["c", "d", "e"])
    figure = forest(pd.concat([table, extra]), "accuracy", title="far")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["\N{LEFTWARDS ARROW} -70.0"]
    assert ax.get_xlim()[0] > -3
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c", "d", "e"]
