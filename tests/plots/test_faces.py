from types import SimpleNamespace

import numpy as np
import pytest
import torch

from occkd_lib.data import FaceSet
from occkd_lib.data.vocabularies import EXPRESSIONS
from occkd_lib.occlusion import OCCLUDERS, Occluder, occlude
from occkd_lib.plots import contact_sheet, explanation_grid, image_grid, triplet_strip


def pixels(n, channels=3, size=8):
    generator = torch.Generator().manual_seed(0)
    shape = (n, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def face_set(images, targets, task, classes=()):
    n = len(images)
    return FaceSet(
        name="made up", task=task, classes=classes, images=images, targets=torch.tensor(targets),
        ids=np.arange(n).astype(str), splits=np.array(["test"] * n),
    )  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_shows_each_face_under_its_title(channels):
    images = pixels(5, channels)
    figure = image_grid(images, list("abcde"), columns=3)
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == list("abcde")
    assert len(figure.axes) == 6, "two rows of three"
    drawn = np.asarray(shown[4].images[0].get_array())
    expected = images[4, 0] if channels == 1 else images[4].permute(1, 2, 0)
    assert np.array_equal(drawn, expected.numpy())
    assert shown[0].images[0].get_clim() == (0, 255), "no contrast stretching"


def test_image_grid_refuses_what_are_no_pixels():
    with pytest.raises(ValueError, match="uint8 N x C x H x W, not float32"):
        image_grid(torch.zeros(2, 3, 8, 8))


def test_triplet_strip_has_three_rows():
    figure = triplet_strip(pixels(4), pixels(4), pixels(4), [list("abcd")] * 3)
    assert len(figure.axes) == 12
    assert figure.axes[5].get_title() == "b"
    assert figure.axes[4].texts[0].get_text() == "positive\n(teacher)"


def test_contact_sheet_leaves_places_empty():
    images = (50 * torch.arange(1, 5)).view(4, 1, 1, 1).expand(4, 1, 48, 48).to(torch.uint8)
    ages = face_set(images, [3.0, 8.0, 41.0, 97.0], "age")
    axes = contact_sheet(ages, each=2).axes
    places = [ax.images[0].get_array() for ax in axes]
    assert [int(image[0, 0]) for image in places] == [50, 100, 150, 255, 200, 255]
    assert [ax.get_title() for ax in axes] == ["0-9", "", "40-49", "", "90+", ""]


def explained(faces, view):
    maps = torch.rand(len(faces), 32, 32, generator=torch.Generator().manual_seed(1))
    said = [f"{view} {k}" for k in range(len(faces))]
    return SimpleNamespace(view=view, seen=occlude(faces.images, view), maps=maps, said=said)


@pytest.fixture
def three():
    return face_set(pixels(3, size=32), [0, 1, 2], "expression", EXPRESSIONS)


def names_of_rows(figure, columns=3):
    axes = np.array(figure.axes).reshape(-1, columns)
    return axes, [row[0].texts[0].get_text() for row in axes]


def borders(ax):
    """Heights at which the dotted lines of an axis run."""
    return [path.vertices[:, 1] for c in ax.collections for path in c.get_paths() if len(path)]


def test_explanation_grid_has_the_rows_of_figure_3(three):
    shown = {"teacher": explained(three, "full"), "student": explained(three, "lower")}
    axes, rows = names_of_rows(explanation_grid(three, shown))
    assert rows == ["full face", "lower half", "teacher", "laid over it", "student", "laid over it"]
    assert [ax.get_title() for ax in axes[0]] == ["neutral", "happiness", "surprise"]
    assert axes[4, 1].get_title() == "“lower 1”"
    half = axes[1, 2].images[0].get_array()
    assert not half[:16].any()
    assert half[16:].any()
    np.testing.assert_array_equal(axes[4, 2].images[1].get_array(), shown["student"].maps[2])
    np.testing.assert_array_equal(axes[3, 2].images[1].get_array(), shown["teacher"].maps[2])
    for row in (2, 4):
        (line,) = borders(axes[row, 0])
        assert set(line) == {15.5}, "between the last hidden and the first visible row"


def test_explanation_grid_shows_every_view_and_where_it_ends(three, monkeypatch):
    def hide(images):
        hidden = images.clone()
        hidden[..., :8, :] = 0
        return hidden

    monkeypatch.setitem(OCCLUDERS, "band", Occluder("all but the brow", hide))
    shown = {"a": explained(three, "upper"), "b": explained(three, "band")}
    axes, rows = names_of_rows(explanation_grid(three, shown))
    assert rows[:4] == ["full face", "upper half", "all but the brow", "a"]
    assert [set(borders(axes[row, 0])[0]) for row in (3, 5)] == [{15.5}, {7.5}]


@pytest.mark.filterwarnings("error")  # a contour of nothing warns
def test_explanation_grid_without_occlusion_has_no_border(three):
    axes, rows = names_of_rows(explanation_grid(three, {"teacher": explained(three, "full")}))
    assert rows == ["full face", "teacher", "laid over it"]
    assert borders(axes[1, 0]) == []
