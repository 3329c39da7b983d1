import pandas as pd
from matplotlib.colors import to_rgb

from occkd_lib.plots import PALETTE, reference_forest


def line(recipe, method, difference, p, metric="accuracy", against="control", seeds=5):
    return {
        "recipe": recipe, "visible": "lower half", "method": method, "against": against,
        "metric": metric, "difference": difference, "difference low": difference - 0.5,
        "difference high": difference + 0.5, "p (Holm)": p, "seeds": seeds,
    }  # fmt: skip


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def labels(ax):
    return [plain(label.get_text()) for label in ax.get_yticklabels()]


def test_a_panel_a_metric_and_blue_for_what_is_told_apart():
    figure = reference_forest(pd.DataFrame([
        line("a/fer", "triplets", 1, 0.01), line("b/age", "hint", 2, 0.2, "mean_absolute_error"),
        line("b/fer", "hint", -1, 0.3, seeds=1),
    ]), title="On real faces")  # fmt: skip
    points, years = figure.axes
    assert labels(points) == [
        "triplets\na/fer, 5 seeds",
        "hint\nb/fer, 1 seed",
    ]
    assert labels(years) == ["hint\nb/age, 5 seeds"]
    assert "points (more is better)" in points.get_xlabel()
    assert "years (less is better)" in years.get_xlabel()
    dots = [to_rgb(d.get_color()) for d in points.lines if d.get_marker() == "o"]
    assert dots == [PALETTE[0], to_rgb("0.5")]
    assert figure.get_supxlabel().startswith("against control; lower half\n")
    assert "one seed: other faces alone" in figure.get_supxlabel().replace("\n", " ")


def test_what_all_rows_share_stands_once():
    rows = [line("a/fer", "one", 1, 0.5), line("a/fer", "two", 2, 0.5, against="other")]
    figure = reference_forest(pd.DataFrame(rows))
    assert labels(figure.axes[0]) == ["one\nagainst control", "two\nagainst other"]
    assert plain(figure.get_supxlabel()).startswith("a; fer, lower half, 5 seeds\n")
    assert "alone" not in figure.get_supxlabel()


def test_a_row_alone_keeps_its_label():
    ax = reference_forest(pd.DataFrame([line("a/fer", "one", 1, 0.5)])).axes[0]
    assert labels(ax) == ["one\nagainst control\na\nfer, lower half, 5 seeds"]


def test_one_far_out_is_written_at_the_edge():
    rows = [line("a/x", "one", 0.2, 0.5), line("a/y", "one", 0.1, 0.5), line("a/z", "one", 20, 0.0)]
    figure = reference_forest(pd.DataFrame(rows))
    ax = figure.axes[0]
    assert figure.get_supxlabel().endswith("arrow: beyond the axis")
    assert "arrow" not in reference_forest(pd.DataFrame(rows[:2])).get_supxlabel()
    assert [text.get_text() for text in ax.texts] == ["+20.0 →"]
    assert ax.get_xlim()[1] < 2


def test_seeds_and_their_number_share_a_line():
    rows = [line("a_recipe_with_a_long_name/an_experiment_too", "one", 1, 0.5)]
    rows.append(line("b/x", "two", 1, 1, seeds=1))
    lines = labels(reference_forest(pd.DataFrame(rows)).axes[0])[0].split("\n")
    assert lines == ["one", "a_recipe_with_a_long_name/an_experiment_too,", "5 seeds"]
