import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from occkd_lib.methods import Row
from occkd_lib.occlusion import OCCLUDERS, Occluder
from occkd_lib.plots import (
    PALETTE,
    ablation_forest,
    attention_forest,
    difference_forest,
    over_seeds_forest,
    references,
    results_forest,
)
from occkd_lib.plots.forests import forest

GREY = to_rgb("0.5")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def dots(ax):
    return [(line.get_xdata()[0], to_rgb(line.get_color())) for line in ax.lines
            if line.get_marker() == "o" and line.get_markersize() == 7]  # fmt: skip


def row(name, title, trained_on, view, color, student=None, control=None, stage=None):
    return Row(
        name=name, stage=stage or name, key="" if stage is None else name, method="any",
        title=title, parts=(name,), trained_on=trained_on, view=view, student=student,
        control=control, color=color,
    )  # fmt: skip


def rows(view):
    found = [
        row("teacher", "teacher", ("full",), "full", 7),
        row("teacher", "teacher", ("full",), view, 7),
        row("before", "student", (view,), view, 1),
        row("other", "student, other view", ("upper",), "upper", 1),
        row("as_long", "control", (view,), view, 2, "before"),
        row("kd", "standard T-S", ("full", view), view, 0, "before", "as_long"),
        row("kd_machine", "SVM", ("full", view), view, 4, "before", "machine", stage="fusion"),
        row("machine", "control, SVM", (view,), view, 4, "before", stage="fusion"),
    ]
    return {(r.name, r.view): r for r in found}


MEANS = {"teacher": 0.6, "before": 0.7, "other": 0.5, "as_long": 0.75, "kd": 0.8}


def results(view):
    """Lines of ``summary`` for the networks in ``rows``."""
    table = pd.DataFrame(
        [
            {"row": r.name, "title": r.title, "test_faces": r.view, "mean": MEANS[r.name]}
            for r in rows(view).values()
            if r.name in MEANS
        ]
    )
    return table.assign(
        experiment="fer", metric="accuracy", subset="official", n=1000, seeds=2,
        low=table["mean"] - 0.02, high=table["mean"] + 0.02,
        values=[[m - 0.01, m + 0.01] for m in table["mean"]],
    )  # fmt: skip


@pytest.mark.parametrize("view", ["lower", "band"])
def test_results_of_one_view_against_student_and_control(view, monkeypatch):
    monkeypatch.setitem(OCCLUDERS, "band", Occluder("a band", lambda images: images))
    ax = results_forest(results(view), rows(view), view, "accuracy").axes[0]
    assert labels(ax) == ["teacher", "student", "control", "standard T-S"]
    assert texts(ax) == ["60.00", "70.00", "75.00", "80.00"]
    dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([70, 75])
    assert [color for _, color in dots(ax)] == [PALETTE[c] for c in (7, 1, 2, 0)]
    where = {"lower": "lower half", "band": "a band"}[view]
    assert ax.get_title(loc="left") == f"fer: {where} visible, n = 1,000"
    ticks = [line.get_xdata() for line in ax.lines if line.get_marker() == "|"]
    assert np.concatenate(ticks[:2]) == pytest.approx([59, 61, 69, 71]), "each seed"


def test_results_without_occlusion_are_drawn_as_well():
    found = results("full").query("test_faces == 'full'").drop_duplicates("row")
    ax = results_forest(found, rows("full"), "full", "accuracy").axes[0]
    assert labels(ax)[:2] == ["teacher", "student"]
    assert ax.get_title(loc="left") == "fer: full face visible, n = 1,000"
    alone = found.query("row == 'teacher'")
    ax = results_forest(alone, rows("full"), "full", "accuracy").axes[0]
    assert [value for value, _ in dots(ax)] == pytest.approx([60])


def test_what_never_saw_the_view_does_not_flatten_the_rest():
    found = results("lower")
    for column in ("mean", "low", "high"):
        found.loc[found["row"] == "teacher", column] -= 0.4
    ax = results_forest(found, rows("lower"), "lower", "accuracy").axes[0]
    assert texts(ax)[0] == "20.00"
    assert len(dots(ax)) == 3
    assert ax.get_xlim() == pytest.approx((68 - 1.4, 82 + 1.4))
    assert next(line.get_marker() for line in ax.lines) == "<"
    # one that is not as far off, and never saw the view either, is drawn whole
    other = found[found["row"] == "teacher"].assign(row="near", title="near")
    for column, value in {"mean": 0.6, "low": 0.58, "high": 0.62}.items():
        other[column] = value
    both = pd.concat([found, other])
    known = rows("lower") | {("near", "lower"): row("near", "near", ("full",), "lower", 7)}
    ax = results_forest(both, known, "lower", "accuracy").axes[0]
    assert ax.get_xlim() == pytest.approx((58 - 1.4, 82 + 1.4)) and len(dots(ax)) == 4


def test_a_teacher_alone_is_drawn_where_it_never_trained():
    alone = results("lower").query("row == 'teacher' and test_faces == 'lower'")
    ax = results_forest(alone, rows("lower"), "lower", "accuracy").axes[0]
    assert [value for value, _ in dots(ax)] == pytest.approx([60])


def test_rows_of_the_same_title_are_told_apart():
    found = results("lower").assign(title="student")
    ax = results_forest(found, rows("lower"), "lower", "accuracy").axes[0]
    assert labels(ax)[:2] == ["student (teacher)", "student (before)"]


def test_results_must_be_of_one_experiment_and_of_the_view():
    with pytest.raises(ValueError, match="of one experiment, on 'band'"):
        results_forest(results("lower"), rows("lower"), "band", "accuracy")
    two = pd.concat([results("lower"), results("lower").assign(experiment="age")])
    with pytest.raises(ValueError, match="one experiment"):
        results_forest(two, rows("lower"), "lower", "accuracy")


def test_references_are_what_networks_are_compared_with():
    assert references(rows("lower").values()) == ["before", "as_long"], "no machine among them"


def effects(**values):
    return pd.DataFrame({"difference": [1.0, -0.4], "low": [0.2, -1.0], "high": [2.0, 0.1],
                         "p (Holm)": [0.01, 0.2], **values})  # fmt: skip


def test_differences_that_are_significant_are_blue():
    table = effects(method=["kd", "as_long"], against=["before", "before"])
    figure = difference_forest(table, "mean_absolute_error")
    assert labels(figure.axes[0]) == [
        "kd  \N{MINUS SIGN}  before",
        "as_long  \N{MINUS SIGN}  before",
    ]
    assert dots(figure.axes[0]) == [(1.0, PALETTE[0]), (-0.4, GREY)]
    assert "years (less is better" in figure._supxlabel.get_text()


def test_what_is_too_long_for_a_line_is_broken_at_the_minus():
    names = {"method": ["standard T-S + triplet T-S, SVM", "a"], "against": ["control, SVM"] * 2}
    shown = labels(difference_forest(effects(**names), "accuracy").axes[0])
    assert shown[0] == "standard T-S + triplet T-S, SVM\n\N{MINUS SIGN}  control, SVM"
    assert "\n" not in shown[1]


def test_an_ablation_is_drawn_against_its_first_arm_and_far_ones_at_the_edge():
    nan = float("nan")
    table = pd.DataFrame(
        {
            "difference": [nan, 0.3, -0.4, -20.0],
            "difference low": [nan, -0.3, -1.0, -22.0],
            "difference high": [nan, 1.0, 0.1, -18.0],
            "p (Holm)": [nan, 0.5, 0.2, 0.001],
        },
        index=["recipe: tau 4", "tau 1", "tau 20", "epochs 0"],
    )
    figure = ablation_forest(table, "accuracy", title="How soft?")
    ax = figure.axes[0]
    assert labels(ax) == ["tau 1", "tau 20", "epochs 0"]
    assert [value for value, _ in dots(ax)] == [0.3, -0.4]
    assert texts(ax) == ["← -20.0"]
    assert ax.get_xlim() == pytest.approx((-1.15, 1.15))
    assert "against: recipe: tau 4" in figure._supxlabel.get_text()
    assert figure._suptitle.get_text() == "How soft?"
    same = table.iloc[:3].fillna(0) * 0 + [0, 0, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as of an axis without an extent
        ablation_forest(same, "accuracy")


def test_over_seeds_shows_a_ring_a_seed():
    values = [np.array([0.4, 0.6]), np.array([-0.1, 0.3]), np.array([-0.6, -0.4])]
    table = pd.DataFrame(
        {
            "method": ["a", "b", "c"], "against": ["student"] * 3, "mean": [0.5, 0.1, -0.5],
            "low": [0.1, -0.8, -0.9], "high": [0.9, 1.0, -0.1], "values": values,
        }
    )  # fmt: skip
    ax = over_seeds_forest(table, "accuracy").axes[0]
    assert dots(ax) == [(0.5, PALETTE[0]), (0.1, GREY), (-0.5, PALETTE[0])]
    rings = [list(line.get_xdata()) for line in ax.lines if line.get_markersize() == 5]
    assert rings == [[0.4, 0.6], [-0.1, 0.3], [-0.6, -0.4]]


def test_attention_is_drawn_against_the_share_of_the_pixels():
    table = pd.DataFrame(
        {"sees": ["full", "band"], "mass, %": [30.0, 40.0], "low": [29.0, 39.0],
         "high": [31.0, 41.0]}, index=["teacher on full", "student"],
    )  # fmt: skip
    figure = attention_forest(table, "band", chance=25)
    ax = figure.axes[0]
    assert labels(ax) == ["teacher on full", "student"]
    assert dots(ax) == [(30, PALETTE[1]), (40, PALETTE[0])]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [25]
    assert figure._supxlabel.get_text().startswith("Grad-CAM mass on the band, %")


def test_long_words_beside_a_forest_are_not_cut_off():
    long = "normalize false, squared false, alpha 0.1, lam 0.5, keep_task_weight true"
    values = pd.DataFrame([(1.0, 0.0, 2.0), (0.0, -1.0, 1.0)])
    figure = forest(
        [long, "control"],
        values,
        "kk",
        f"points (more is better) against: {long}",
        title=f"{long}?",
    )
    figure.draw_without_rendering()
    width = figure.bbox.width
    written = [*figure.axes[0].get_yticklabels(), figure._supxlabel, figure._suptitle]
    for box in (text.get_window_extent() for text in written):
        assert box.x0 >= 0
        assert box.x1 <= width
    assert figure.axes[0].bbox.width > 0.4 * width
