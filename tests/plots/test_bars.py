import pandas as pd
import pytest

from occkd_lib.evaluation import mcnemar_test
from occkd_lib.plots import PALETTE, by_group, discordant_bars, score_bars, shares
from occkd_lib.tasks import TASKS


def texts(ax):
    return [text.get_text() for text in ax.texts]


def heights(figure):
    return [round(bar.get_height(), 6) for bar in figure.axes[0].patches]


def test_scores_are_bars_under_their_own_heading():
    columns = {"MAE, years": [8.0, 6.0], "low": [7.8, 5.7], "high": [8.2, 6.2], "n": [40, 40]}
    ax = score_bars(pd.DataFrame(columns, index=["full", "lower"])).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [8, 6]
    assert texts(ax) == ["8.0", "6.0"]
    assert ax.get_xlabel() == "MAE, years (95 % interval)"
    assert ax.get_xlim()[0] == 0, "a bar starts at zero"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["full", "lower"]
    bottom, top = ax.get_ylim()
    assert bottom > top, "the first is on top"
    whiskers = ax.collections[0].get_segments()
    assert [x for x, _ in whiskers[1]] == pytest.approx([5.7, 6.2])


def test_by_group_is_recall_or_error():
    genders = pd.DataFrame({"target": [0, 0, 0, 1], "m": [0, 0, 1, 1], "k": [1, 0, 0, 0]})
    figure = by_group(genders, ["m", "k"], TASKS["gender"], ("male", "female"))
    assert heights(figure) == pytest.approx([66.666667, 100, 66.666667, 0])
    assert figure.axes[0].get_ylabel() == "recall, %"
    years = pd.DataFrame({"target": [3.0, 8.0, 41.0], "m": [4.0, 11.0, 40.0]})
    figure = by_group(years, ["m"], TASKS["age"], ())
    assert heights(figure) == [2, 1]
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("age (faces)", "mean absolute error, years")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0-9\n(2)", "40-49\n(1)"]


def test_by_group_averages_seeds_and_counts_faces_once():
    one = pd.DataFrame({"target": [0, 0, 1, 2], "m": [0, 0, 1, 2]})
    two = one.assign(m=[0, 1, 0, 2])
    classes = ("x", "y", "z")
    ax = by_group([one, two], ["m"], TASKS["category"], classes, colors={"m": 4}).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [75, 50, 100]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x\n(2)", "y\n(1)", "z\n(1)"]
    assert ax.patches[0].get_facecolor()[:3] == pytest.approx(PALETTE[4])


def test_discordant_bars_show_both_sides_and_p():
    test = mcnemar_test([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1])
    ax = discordant_bars({"seed 0": test}, names=("new", "old")).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [5, -1]
    assert texts(ax) == ["5", "1", "p = 0.219"]


def test_shares_are_per_split():
    counts = pd.DataFrame({"train": [3, 1], "val": [1, 1], "test": [0, 2]}, index=["a", "b"])
    assert heights(shares(counts)) == [75, 25, 50, 50, 0, 100]
