import pandas as pd
import pytest

from occkd_lib.plots import PALETTE, learning_curves, setting_curves


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


def swept(setting, values, control=True):
    table = pd.DataFrame(
        {
            "validation": 50.0, "own": [True, *[False] * (len(values) - 1)], "accuracy, %": 60.0,
            "low": 55.0, "high": 64.0,
        },
        index=pd.Index(values, name=setting, dtype=object),
    )  # fmt: skip
    if control:
        table.loc["control"] = [50.0, False, 40.0, 35.0, 44.0]
    return table


def test_a_setting_s_values_stand_where_they_are():
    sweeps = {
        "batches": swept("batch_size", [8, 32, 128]),
        "few": swept("alpha", [0.1, 0.3], False),
    }
    left, right = setting_curves(sweeps, "accuracy").axes
    assert (left.get_xscale(), right.get_xscale()) == ("log", "linear")
    assert [t.get_text() for t in left.get_xticklabels()] == ["8", "32", "128"]
    assert left.get_xlabel() == "batch_size" and left.get_ylabel() == "accuracy, %"
    dots = left.containers[0].lines[0]
    recipe, validation, control = left.lines[-3:]
    assert list(dots.get_xdata()) == [8, 32, 128] and list(dots.get_ydata()) == [60] * 3
    assert list(recipe.get_xdata()) == [8]
    assert list(validation.get_ydata()) == [50] * 3
    assert list(control.get_ydata()) == [40, 40]
    assert len(right.lines) == len(left.lines) - 1  # no control


def test_a_sweep_without_validation_has_none():
    table = swept("batch_size", [8, 32])
    table["validation"] = float("nan")
    labels = [line.get_label() for line in setting_curves({"": table}, "accuracy").axes[0].lines]
    assert "validation" not in labels
