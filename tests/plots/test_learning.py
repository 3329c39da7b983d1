import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from occkd_lib.plots import PALETTE, learning_curves


def history(sign):
    validation = [sign * 0.25, sign * 0.5]
    return pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5], "validation": validation})


@pytest.mark.parametrize(
    ("metric", "sign", "title", "drawn"),
    [
        ("accuracy", 1, "Validation accuracy, %", [25, 50]),
        ("mean_absolute_error", -1, "Validation MAE, years", [0.25, 0.5]),
    ],
)
def test_epochs_count_from_one_and_errors_are_positive(metric, sign, title, drawn):
    histories = {"teacher": history(sign), "student": history(sign)}
    loss, validation = learning_curves(histories, metric).axes
    assert validation.get_title(loc="left") == title
    line = validation.lines[0]
    assert list(line.get_xdata()) == [1, 2]
    assert list(line.get_ydata()) == drawn
    assert len(loss.lines) == 2


def test_an_accuracy_of_nothing_is_no_error_in_years():
    blank = history(1).assign(validation=0.0)
    assert learning_curves({"a": blank}, "accuracy").axes[1].get_title("left").endswith("%")


def test_without_validation_there_is_the_loss_alone():
    blank = history(1).assign(validation=float("nan"))
    figure = learning_curves({"teacher": blank}, "accuracy")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Training loss"]


def test_two_stages_of_one_method_share_its_colour_not_its_line():
    histories = {name: history(1) for name in ("student", "other_half", "control")}
    colors = {"student": 1, "other_half": 1, "control": 2}
    lines = learning_curves(histories, "accuracy", colors=colors).axes[0].lines
    assert [line.get_color() for line in lines] == [PALETTE[1], PALETTE[1], PALETTE[2]]
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-"]


def drawn(ax):
    """Lines with a name."""
    return [line for line in ax.lines if not line.get_label().startswith("_")]


def test_many_lines_are_spread_over_rows_and_told_apart():
    histories = {f"stage {k}": history(1) for k in range(17)}
    figure = learning_curves(histories, "accuracy", colors=dict.fromkeys(histories, 7))
    assert len(figure.axes) == 3 * 2
    for loss, validation in zip(figure.axes[::2], figure.axes[1::2], strict=True):
        named = drawn(loss)
        assert 5 <= len(named) <= 6 and len(loss.lines) == 17, "the others are grey"
        looks = {(line.get_color(), line.get_linestyle()) for line in named}
        assert len({line.get_color() for line in named}) == len(named) == len(looks)
        texts = [text.get_text() for text in validation.get_legend().get_texts()]
        assert texts == [line.get_label() for line in named]
    said = [line.get_label() for ax in figure.axes[::2] for line in drawn(ax)]
    assert said == list(histories)
    assert len(learning_curves(dict(list(histories.items())[:6]), "accuracy").axes) == 2


def test_a_line_goes_on_where_it_began():
    histories = {name: history(1) for name in ("teacher", "student", "control", "other")}
    starts = {"student": "teacher", "control": "student", "other": "nobody", "teacher": None}
    loss = learning_curves(histories, "accuracy", starts=starts).axes[0]
    found = {line.get_label(): list(line.get_xdata()) for line in drawn(loss)}
    assert found == {"teacher": [1, 2], "student": [3, 4], "control": [5, 6], "other": [1, 2]}
    seams = sorted(set(map(float, (x for line in loss.lines if line not in drawn(loss)
                                   for x in line.get_xdata()))))  # fmt: skip
    assert seams == [2.5, 4.5]


def test_task_and_other_terms_stand_apart_where_the_histories_have_them():
    plain = history(1).assign(task=[1.0, 0.5], rest=[0.0, 1e-9])
    taught = history(1).assign(task=[0.8, 0.4], rest=[0.2, 0.1])
    task, rest, validation = learning_curves({"a": plain, "b": taught}, "accuracy").axes
    assert [list(line.get_ydata()) for line in drawn(task)] == [[1, 0.5], [0.8, 0.4]]
    assert [line.get_label() for line in drawn(rest)] == ["b"], "the other has nothing else"
    assert validation.get_title("left").startswith("Validation")
    for other in (history(1), plain):  # an older run; nothing but the task anywhere
        axes = learning_curves({"a": plain, "b": other}, "accuracy").axes
        assert axes[0].get_title("left") == "Training loss"


def test_six_lines_keep_the_colours_of_their_rows_one_of_many_does_not():
    few = {name: history(1) for name in "ab"}
    lines = drawn(learning_curves(few, "accuracy", colors={"a": 7, "b": 3}).axes[0])
    assert [to_rgb(line.get_color()) for line in lines] == [PALETTE[7], PALETTE[3]]
