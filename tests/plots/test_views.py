"""The matrix of views and the curves over the hidden share."""

import itertools

import pandas as pd

from occkd_lib.plots import hidden_curves, view_matrix
from occkd_lib.results.views import shares_hidden
from occkd_lib.tasks.metrics import METRICS

STAGES = {"teacher": "full", "halved": "lower", "all": "full+lower"}
VIEWS = ("full", "lower", "top_20", "bottom_20")


def made_up(heading="accuracy, %"):
    rows = [
        {"stage": stage, "title": f"the {stage}", "trained on": own, "tested on": view}
        for (stage, own), view in itertools.product(STAGES.items(), VIEWS)
    ]
    table = pd.DataFrame(rows)
    table[heading] = [10.0 * n for n in range(len(table))]
    own = [t in o.split("+") for o, t in zip(table["trained on"], table["tested on"], strict=True)]
    return table.assign(low=table[heading] - 3, high=table[heading] + 4, own=own)


def test_every_cell_says_its_value_and_the_own_view_is_framed():
    [ax, *_] = view_matrix(made_up(), "accuracy").axes
    said = [text.get_text() for text in ax.texts]
    assert said[:4] == ["0.0", "-3 to 4", "10.0", "7 to 14"] and len(said) == 24
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "the teacher", "the halved", "the all",
    ]  # fmt: skip
    assert [label.get_text() for label in ax.get_xticklabels()] == [*VIEWS]
    corners = [(frame.get_x(), frame.get_y()) for frame in ax.patches]
    assert corners == [(-0.48, -0.48), (0.52, 0.52), (-0.48, 1.52), (0.52, 1.52)]
    assert ax.images[0].get_array()[2].tolist() == [80, 90, 100, 110]


def test_years_are_darker_the_fewer():
    [ax, *_] = view_matrix(
        made_up(METRICS["mean_absolute_error"].heading), "mean_absolute_error"
    ).axes
    assert ax.images[0].get_array()[0].tolist() == [0, -10, -20, -30]


def test_curves_from_above_and_from_below():
    figure = hidden_curves(shares_hidden(made_up()), "accuracy")
    above, below = figure.axes
    assert [len(ax.containers) for ax in (above, below)] == [3, 3]
    first = above.containers[0].lines[0]
    assert first.get_ydata().tolist() == [0, 20, 10], "full, top_20, lower: 0, 20, 50 %"
    assert abs(first.get_xdata() - [0, 20, 50]).max() < 2
    assert below.containers[0].lines[0].get_ydata().tolist() == [0, 30]
    rings = [line for line in above.lines if line.get_markersize() == 9]
    assert [line.get_ydata().tolist() for line in rings] == [[0], [50], [80, 90]]
    assert "above" in above.get_xlabel() and "below" in below.get_xlabel()
    assert len(figure.legends[0].get_texts()) == 3
