import numpy as np
import pytest

from occkd_lib.plots import PALETTE, embedding_maps
from occkd_lib.tasks import TASKS

CATEGORY, AGE = TASKS["category"], TASKS["age"]


def test_a_map_is_the_same_every_time():
    points = np.random.default_rng(0).normal(size=(30, 60))
    target = np.arange(30) % 2
    drawn = [
        embedding_maps({"": points}, target, CATEGORY, ("x", "y"), seed=3)
        .axes[0].collections[1].get_offsets() for _ in range(2)
    ]  # fmt: skip
    assert drawn[0].shape == (15, 2)
    assert np.array_equal(drawn[0], drawn[1])


def test_a_map_of_a_quantity_has_a_scale():
    figure = embedding_maps({"": np.eye(12)}, np.arange(12.0), AGE, ())
    assert figure.axes[1].get_ylabel() == "age, years"


def test_panels_stand_side_by_side():
    points = np.random.default_rng(0).normal(size=(12, 5))
    panels = {"a": points, "b": points[:, :3], "c": points}
    figure = embedding_maps(panels, np.arange(12) % 3, CATEGORY, ("x", "y", "z"))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b", "c", ""]
    first, third = (figure.axes[i].collections[1].get_offsets() for i in (0, 2))
    assert first.shape == (4, 2)
    assert np.array_equal(first, third)
    colors = {tuple(ax.collections[2].get_facecolor()[0]) for ax in figure.axes[:3]}
    assert len(colors) == 1, "a class has one colour"
    assert [text.get_text() for text in figure.legends[0].texts] == ["x", "y", "z"]
    with pytest.raises(ValueError, match="the 11 faces of targets"):
        embedding_maps(panels, np.arange(11.0), AGE, ())


def test_there_may_be_more_classes_than_colours():
    classes = [str(c) for c in range(12)]
    figure = embedding_maps({"": np.eye(12)}, np.arange(12), CATEGORY, classes)
    last = figure.axes[0].collections[11].get_facecolor()[0][:3]
    assert tuple(last) == pytest.approx(PALETTE[1])


def test_five_panels_stand_in_rows_of_three():
    points = np.random.default_rng(0).normal(size=(9, 3))
    figure = embedding_maps(dict.fromkeys("abcde", points), np.arange(9) % 3, CATEGORY, "xyz")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["a", "b", "c", "d", "e", ""]
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 3)
