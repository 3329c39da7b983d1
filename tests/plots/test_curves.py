import pandas as pd
import pytest

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
