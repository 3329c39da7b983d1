import numpy as np
import pandas as pd
import pytest

from occkd_lib import results
from occkd_lib.evaluation import interval, paired_bootstrap
from occkd_lib.tasks.metrics import ACCURACY, MEAN_ABSOLUTE_ERROR


@pytest.fixture
def gender(full):
    return full.table("gender", 0)


def test_right_within_a_gap_of_years():
    table = pd.DataFrame({"target": [30.0, 30.0, 30.0], "m": [25.5, 35.0, 34.9]})
    assert results.right(table, "m", 5).tolist() == [True, False, True]


@pytest.mark.parametrize("metric", [ACCURACY, "accuracy"])
def test_scores(gender, metric):
    row = results.scores(gender[["target", "control"]], metric).loc["control"]
    found = interval(gender["target"].to_numpy(), gender["control"].to_numpy(), "accuracy")
    assert row.index[0] == "accuracy, %"
    assert row.tolist() == [75.0, round(100 * found.low, 2), round(100 * found.high, 2), 40]


def test_scores_of_years(full):
    row = results.scores(full.table("age", 0)[["target", "control"]], MEAN_ABSOLUTE_ERROR)
    assert row.loc["control"].to_dict() == {
        "mean absolute error, years": 10.0, "low": 10.0, "high": 10.0, "n": 40,
    }  # fmt: skip


def test_differences_of_one_seed_by_hand(gender):
    pairs = [("control", "student"), ("triplet", "control")]
    first, second = results.differences(gender, pairs, ACCURACY).to_dict("records")
    assert (first["difference"], first["only method"], first["only against"]) == (10.0, 4, 0)
    assert (first["p"], first["p (Holm)"]) == (0.125, 0.25)  # four coins, and two tests
    assert (second["difference"], second["only method"], second["only against"]) == (-2.5, 0, 1)
    assert (second["p"], second["p (Holm)"]) == (1.0, 1.0)


def test_several_seeds_are_averaged(full):
    tables = [full.table("expression", seed) for seed in (0, 1)]
    row = results.differences(tables, [("standard", "student")], "accuracy").iloc[0]
    both = [[t[m].to_numpy() for t in tables] for m in ("standard", "student")]
    found = paired_bootstrap(tables[0]["target"].to_numpy(), *both, "accuracy")
    assert (row["difference"], row["only method"], row["only against"]) == (12.5, 10, 0)
    assert row["p"] == round(found.p, 4)


def test_years_have_no_discordant_faces(full):
    pairs = [("standard", "student"), ("student", "control")]
    found = results.differences(full.table("age", 0), pairs, MEAN_ABSOLUTE_ERROR)
    assert "only method" not in found
    assert found["difference"].tolist() == [-5.0, 4.0]
    assert results.is_better(found, MEAN_ABSOLUTE_ERROR).tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "metric", "gain"), [("gender", ACCURACY, 2.5), ("age", MEAN_ABSOLUTE_ERROR, 1.0)]
)
def test_won_back_by_hand(full, name, metric, gain):
    """Mistakes of the teacher 4, student 14, control 10, triplet 11: a cost of 10."""
    found = results.won_back(full.table(name, 0), ["control", "triplet"], "student", metric)
    assert found["gain"].tolist() == pytest.approx([4 * gain, 3 * gain])
    assert found["share"].tolist() == pytest.approx([40, 30], abs=1e-4)
    assert (found["low"] <= found["share"] + 1e-4).all()
    assert (found["share"] <= found["high"] + 1e-4).all()


def test_nothing_is_won_back_where_nothing_was_lost(gender):
    same = gender.assign(nobody=gender["student"])
    found = results.won_back(same, ["control"], "student", ACCURACY, teacher="nobody")
    found = found.loc["control"]
    assert found["gain"] == pytest.approx(10)
    assert np.isnan([found["share"], found["low"], found["high"]]).all()


def test_verdicts(gender):
    pairs = [("standard+triplet", "student"), ("student", "standard+triplet")]
    pairs.append(("triplet", "control"))
    lines = results.verdicts(results.differences(gender, pairs, ACCURACY), ACCURACY)
    better, worse, neither = lines.splitlines()
    assert better.startswith("standard+triplet: better than student (+30.00 [")
    assert worse.startswith("student: worse than standard+triplet (-30.00 [")
    assert neither.startswith("triplet: not told apart from control by these faces (-2.50 [")
    assert better.endswith(" points, p (Holm) 0.002)")  # 3 tests, 12 coins: 6 / 2^12 = 0.0015


def test_spoken(gender, full):
    target, student = (gender[c].to_numpy() for c in ("target", "student"))
    assert results.spoken(interval(target, student, ACCURACY), ACCURACY) == (
        "65.00 [49.51, 77.87] %"
    )
    found = paired_bootstrap(target, target, target, ACCURACY)
    assert results.spoken(found, "accuracy") == "+0.00 [+0.00, +0.00] points"
    ages = full.table("age", 0)
    found = interval(ages["target"].to_numpy(), ages["student"].to_numpy(), MEAN_ABSOLUTE_ERROR)
    assert results.spoken(found, MEAN_ABSOLUTE_ERROR) == "14.00 [14.00, 14.00] years"
