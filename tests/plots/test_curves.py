import pandas as pd
from matplotlib.colors import to_rgb

from occkd_lib.plots import label_curves, setting_curves
from occkd_lib.plots.curves import WHOSE


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


def shared(stages, metric="accuracy, %"):
    rows = [
        {"share": share, "stage": stage, "title": f"title of {stage}", metric: 60.0, "low": 55.0,
         "high": 64.0, "difference": 1.0, "difference low": 0.0, "difference high": 2.0}
        for share in (1.0, 10.0) for stage in stages
    ]  # fmt: skip
    return pd.DataFrame(rows)


def said_by(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_legend_says_who_teaches_and_how():
    figure = label_curves(shared(["standard", "modest_standard", "nose"]), "accuracy")
    assert said_by(figure) == [
        "soft targets, teacher of all labels", "soft targets, modest teacher", "title of nose",
    ]  # fmt: skip
    hints = label_curves(shared(["standard"], "mean absolute error, years"), "mean_absolute_error")
    assert said_by(hints) == ["hints, teacher of all labels"]


def test_lines_of_known_stages_differ_in_print_and_without_colour():
    figure = label_curves(shared([*WHOSE]), "accuracy")
    lines = [container.lines[0] for container in figure.axes[0].containers]
    looks = {(line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(WHOSE) == 13
    teachers = dict(zip(WHOSE, (to_rgb(line.get_color()) for line in lines), strict=True))
    assert teachers["standard"] == teachers["triplet"], "one teacher, one colour"
    assert len(set(teachers.values())) == 7
