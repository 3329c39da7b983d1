import numpy as np
import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import compare_over_seeds, crossed, holm
from occkd_lib.results import crossed_table, open_store, verdicts
from occkd_lib.results.crossed_table import answers_by_seed, contrast, lost, said, stage_lines

from .conftest import MISTAKES, make_recipe, write_run, write_seed


@pytest.fixture
def store(outputs):
    """Seeds 0 and 1 complete, tested on "street" with one mistake more, seed 2 half done."""
    recipe = make_recipe("expression")
    for seed in (0, 1):
        write_seed(recipe, "expression", seed, elsewhere="street")
    write_run(recipe, "expression", 2, "teacher", 4)
    return open_store(recipe)


def test_answers_on_each_stage_s_own_view_of_the_seeds_that_have_all(store):
    tables = answers_by_seed(store, "expression", ["teacher", "student"])
    assert list(tables) == [0, 1]
    for seed, table in tables.items():
        assert list(table) == ["target", "teacher", "student"] and len(table) == 40
        wrong = {name: int((table[name] != table["target"]).sum()) for name in list(table)[1:]}
        assert wrong == {"teacher": MISTAKES["teacher"] + seed, "student": 14 + seed}
    asked = {"whole": ("teacher", "full"), "half": ("teacher", "lower")}
    assert list(answers_by_seed(store, "expression", asked)) == [0, 1, 2]
    away = answers_by_seed(store, "expression", ["student"], data="street")[0]
    assert (away["student"] != away["target"]).sum() == MISTAKES["student"] + 1


def test_answers_that_are_not_there(store):
    with pytest.raises(OcckdError, match="not finished"):
        answers_by_seed(store, "expression", ["student"], seeds=[2])
    with pytest.raises(OcckdError, match="view 'upper'"):
        answers_by_seed(store, "expression", {"a": ("student", "upper")})
    with pytest.raises(OcckdError, match="no answers to elsewhere"):
        answers_by_seed(store, "expression", ["student"], data="elsewhere")
    empty = open_store(make_recipe("gender"))
    with pytest.raises(OcckdError, match="no seed has all of student"):
        answers_by_seed(empty, "gender", ["student"])


def made_up(*right: int, n: int = 12) -> pd.DataFrame:
    """Three classes; "a", "b" ... are right on their first so many faces."""
    target = np.arange(n) % 3
    said = {}
    for name, first in zip("abc", right, strict=False):
        answer = (target + 1) % 3
        answer[:first] = target[:first]
        said[name] = answer
    return pd.DataFrame({"target": target, **said})


TABLES = {0: made_up(9, 6, 3), 1: made_up(8, 6, 4)}


def test_a_value_a_difference_and_an_interaction_are_contrasts():
    value = contrast(TABLES, {"a": 1}, "accuracy")
    assert value.difference == pytest.approx(100 * 17 / 24)
    gap = contrast(TABLES, {"a": 1, "b": -1}, "accuracy")
    target = TABLES[0]["target"].to_numpy()
    known = compare_over_seeds(
        target, *(np.stack([t[name] for t in TABLES.values()]) for name in "ab")
    )
    assert (gap.difference, gap.low, gap.high) == pytest.approx(
        [100 * v for v in (known.difference, known.low, known.high)]
    )
    assert gap.p == pytest.approx(known.p) and gap.seeds == 2
    both = contrast(TABLES, {"a": 1, "b": -2, "c": 1}, "accuracy")
    assert both.difference == pytest.approx(100 * (17 - 2 * 12 + 7) / 24)
    assert said(both, "accuracy").startswith("+0.00 [-") and " points, p 1.000" in said(
        both, "accuracy"
    )


def test_tables_are_read_as_those_of_results():
    values = crossed_table.scores(TABLES, "weighted_accuracy")
    assert list(values) == ["weighted accuracy, %", "low", "high", "n", "seeds"]
    assert list(values.index) == ["a", "b", "c"] and (values["n"] == 12).all()
    assert crossed_table.scores({0: made_up(11)}, "accuracy").loc["a", "high"] == 100
    found = crossed_table.differences(TABLES, [("a", "b"), ("c", "b")], "accuracy")
    assert found["difference"].tolist() == [20.83, -20.83]
    raw = [contrast(TABLES, {m: 1, "b": -1}, "accuracy").p for m in "ac"]
    assert found["p (Holm)"].tolist() == pytest.approx(holm(np.array(raw)), abs=1e-4)
    assert len(verdicts(found, "accuracy").splitlines()) == 2


def test_lines_of_stages_with_and_without_a_control():
    text = stage_lines(TABLES, {"a": "b"}, "accuracy")
    assert text.loc["a", "accuracy, %"].startswith("70.83 [")
    assert text.loc["a", "against"] == "b"
    assert text.loc["a", "difference, points"].startswith("+20.83 [")
    assert text.loc["b"].tolist()[1:5] == ["", "", "", ""]
    assert text["seeds"].tolist() == ["2"] * 3


@pytest.mark.parametrize("metric", ["accuracy", "weighted_accuracy"])
def test_what_is_lost_elsewhere_has_the_variance_of_both_collections(metric):
    """With one seed the two sets of faces are independent: the variances add up."""
    home = {0: made_up(9)}
    away = {0: made_up(5, n=30)}
    row = lost(home, away, metric).loc["a"]
    sides = [contrast(t, {"a": 1}, metric) for t in (home, away)]
    assert row["home"] == round(sides[0].difference, 2)
    assert row["difference"] == pytest.approx(sides[1].difference - sides[0].difference, abs=0.01)
    if metric == "accuracy":
        right = [(t[0]["a"] == t[0]["target"]).to_numpy(float) for t in (home, away)]
        error = 100 * np.sqrt(sum(r.var(ddof=1) / len(r) for r in right))
        assert 1.9 < (row["high"] - row["difference"]) / error < 2.3


def test_seeds_that_lose_alike_lose_surely():
    """Trainings are shared by both collections: what moves both alike says nothing of the loss."""
    home = {seed: made_up(right, n=300) for seed, right in enumerate((100, 150, 200, 250))}
    away = {seed: made_up(right - 60, n=300) for seed, right in enumerate((100, 150, 200, 250))}
    row = lost(home, away, "accuracy").loc["a"]
    assert row["difference"] == -20 and row["p"] == row["p (Holm)"] < 0.05
    alone = crossed(np.stack([100.0 * (t["a"] == t["target"]) for t in away.values()]))
    assert row["high"] - row["low"] < 0.5 * (alone.high - alone.low)


def test_each_seed_loses_its_own():
    """Two trainings of unlike quality: the spread of the loss is that of their losses."""
    home = {0: made_up(40, n=50), 1: made_up(20, n=50)}
    away = {0: made_up(30, n=50), 1: made_up(20, n=50)}
    row = lost(home, away, "accuracy").loc["a"]
    each = [lost({0: home[s]}, {0: away[s]}, "accuracy").loc["a", "difference"] for s in (0, 1)]
    assert each == [-20, 0] and row["difference"] == -10
