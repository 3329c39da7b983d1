import numpy as np
import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import interval, paired_bootstrap
from occkd_lib.report import comparisons

from .conftest import make_recipe, write_run

STUDENT = "student_upper"


@pytest.fixture
def gender(full_recipe):
    return comparisons.answers(full_recipe, "gender", 0)


def test_finished_seeds(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 3, "teacher", {"teacher": 1})
    assert comparisons.finished_seeds(recipe, "gender") == []
    assert comparisons.finished_seeds(recipe, "gender", "teacher") == [3]


def test_answers_are_those_on_the_visible_half_of_test(full_recipe, gender):
    assert "student_lower" not in gender and len(gender) == 40
    assert gender.index.str.startswith("test").all()
    wrong = {name: int((~comparisons.right(gender, name)).sum()) for name in gender.columns[1:]}
    assert wrong == {
        "teacher": 4, "teacher_on_full": 4, STUDENT: 14, "control": 10, "standard": 9,
        "triplet": 11, "control_svm": 10, "standard_svm": 9, "triplet_svm": 8,
        "standard+triplet": 2,
    }  # fmt: skip
    with pytest.raises(OcckdError, match="no finished run of seed 7"):
        comparisons.answers(full_recipe, "gender", 7)


def test_right_within_a_gap_of_years():
    table = pd.DataFrame({"target": [30.0, 30.0, 30.0], "m": [25.5, 35.0, 34.9]})
    assert comparisons.right(table, "m", 5).tolist() == [True, False, True]


def test_scores(gender):
    row = comparisons.scores(gender[["target", "control"]], "accuracy").loc["control"]
    found = interval(gender["target"].to_numpy(), gender["control"].to_numpy(), "accuracy")
    assert row.tolist() == [75.0, round(100 * found.low, 2), round(100 * found.high, 2), 40]


def test_differences_of_one_seed_by_hand(gender):
    pairs = [("control", STUDENT), ("triplet", "control")]
    first, second = comparisons.differences(gender, pairs, "accuracy").to_dict("records")
    assert (first["difference"], first["only method"], first["only against"]) == (10.0, 4, 0)
    assert (first["p"], first["p (Holm)"]) == (0.125, 0.25)  # four coins, and two tests
    assert (second["difference"], second["only method"], second["only against"]) == (-2.5, 0, 1)
    assert (second["p"], second["p (Holm)"]) == (1.0, 1.0)


def test_several_seeds_are_averaged(full_recipe):
    tables = [comparisons.answers(full_recipe, "expression", seed) for seed in (0, 1)]
    row = comparisons.differences(tables, [("standard", "student_lower")], "accuracy").iloc[0]
    both = [[t[m].to_numpy() for t in tables] for m in ("standard", "student_lower")]
    found = paired_bootstrap(tables[0]["target"].to_numpy(), *both, "accuracy")
    assert (row["difference"], row["only method"], row["only against"]) == (7.5, 6, 0)
    assert row["p"] == round(found.p, 4)


def test_years_have_no_discordant_faces(full_recipe):
    table = comparisons.answers(full_recipe, "age", 0)
    pairs = [("standard", STUDENT), (STUDENT, "control")]
    found = comparisons.differences(table, pairs, "mean_absolute_error")
    assert "only method" not in found
    assert found["difference"].tolist() == [-5.0, 4.0]
    assert comparisons.is_better(found, "mean_absolute_error").tolist() == [True, False]


@pytest.mark.parametrize(
    ("experiment", "metric", "gain"),
    [("gender", "accuracy", 2.5), ("age", "mean_absolute_error", 1.0)],
)
def test_won_back_by_hand(full_recipe, experiment, metric, gain):
    """Mistakes of the teacher 4, student 14, control 10, triplet 11: a cost of 10."""
    table = comparisons.answers(full_recipe, experiment, 0)
    found = comparisons.won_back(table, ["control", "triplet"], STUDENT, metric)
    assert found["gain"].tolist() == pytest.approx([4 * gain, 3 * gain])
    assert found["share"].tolist() == pytest.approx([40, 30], abs=1e-4)
    assert (found["low"] <= found["share"] + 1e-4).all()
    assert (found["share"] <= found["high"] + 1e-4).all()


def test_nothing_is_won_back_where_nothing_was_lost(gender):
    same = gender.assign(teacher_on_full=gender[STUDENT])
    found = comparisons.won_back(same, ["control"], STUDENT, "accuracy").loc["control"]
    assert found["gain"] == pytest.approx(10)
    assert np.isnan([found["share"], found["low"], found["high"]]).all()


def test_verdicts(gender):
    pairs = [("standard+triplet", STUDENT), (STUDENT, "standard+triplet"), ("triplet", "control")]
    lines = comparisons.verdicts(comparisons.differences(gender, pairs, "accuracy"), "accuracy")
    better, worse, neither = lines.splitlines()
    assert better.startswith(f"standard+triplet: better than {STUDENT} (+30.00 [")
    assert worse.startswith(f"{STUDENT}: worse than standard+triplet (-30.00 [")
    assert neither.startswith("triplet: not told apart from control by these faces (-2.50 [")


def test_spoken(gender):
    target, student = (gender[c].to_numpy() for c in ("target", STUDENT))
    assert comparisons.spoken(interval(target, student, "accuracy"), "accuracy") == (
        "65.00 [49.51, 77.87] %"
    )
    found = paired_bootstrap(target, target, target, "accuracy")
    assert comparisons.spoken(found, "accuracy") == "+0.00 [+0.00, +0.00] points"


def test_forest_has_a_row_a_pair(gender):
    table = comparisons.differences(gender, [("control", STUDENT)], "accuracy")
    figure = comparisons.difference_forest(table, "accuracy", title="t")
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"control  −  {STUDENT}"]
    assert figure.get_suptitle() == "t"
