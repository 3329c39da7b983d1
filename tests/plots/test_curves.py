import pandas as pd
from matplotlib.colors import to_rgb

from occkd_lib.plots import label_curves, setting_curves
from occkd_lib.plots.curves import WHOSE, whose
from occkd_lib.tasks import METRICS


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
    """The legend of each situation."""
    legends = [ax.get_legend() for ax in figure.axes]
    return [[text.get_text() for text in legend.get_texts()] for legend in legends if legend]


def test_a_legend_says_who_teaches_and_how():
    figure = label_curves(shared(["standard", "modest_standard", "nose"]), "accuracy")
    assert said_by(figure) == [
        ["soft targets, teacher of all labels", "title of nose"], ["soft targets, modest teacher"],
    ]  # fmt: skip
    hints = label_curves(shared(["standard"], "mean absolute error, years"), "mean_absolute_error")
    assert said_by(hints) == [["hints, teacher of all labels"]]


def test_each_situation_has_its_column_and_the_control_stands_in_both():
    both = label_curves(shared(["student", "hint", "self_taught", "control"]), "accuracy")
    assert [ax.get_title(loc="left") for ax in both.axes[:2]] == [
        "a teacher of all labels", "nobody has more labels",
    ]  # fmt: skip
    student, control = "student, before step 3", "control: as long, labels alone"
    assert said_by(both) == [
        [student, "hints, teacher of all labels", control],
        [student, "soft targets, taught by itself", control],
    ]  # fmt: skip
    assert both.axes[2].get_ylim() == both.axes[3].get_ylim()
    alone = label_curves(shared(["modest_hint", "control"]), "accuracy")
    assert [ax.get_title(loc="left") for ax in alone.axes] == ["nobody has more labels", ""]
    assert len(label_curves(shared(["control"]), "accuracy").axes[0].containers) == 1


def test_lines_of_known_stages_differ_in_print_and_without_colour():
    figure = label_curves(shared([*WHOSE]), "accuracy")
    drawn = {
        container.get_label(): container.lines[0]
        for ax in figure.axes[:2] for container in ax.containers
    }  # fmt: skip
    looks = {(line.get_linestyle(), line.get_marker()) for line in drawn.values()}
    assert len(drawn) == len(looks) == len(WHOSE) == 13
    titles = {name: whose(name, "", 0, METRICS["accuracy"])["label"] for name in WHOSE}
    teachers = {name: to_rgb(drawn[title].get_color()) for name, title in titles.items()}
    assert teachers["standard"] == teachers["triplet"], "one teacher, one colour"
    assert len(set(teachers.values())) == 7
