import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from occkd_lib.occlusion import (
    OCCLUDERS,
    Occluder,
    occlude,
    view_title,
    visible_pixels,
)

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 9), st.integers(1, 5))


def test_lower_half_of_four_rows():
    image = torch.arange(1, 9, dtype=torch.uint8).view(1, 1, 4, 2)
    expected = torch.tensor([[0, 0], [0, 0], [5, 6], [7, 8]], dtype=torch.uint8)
    assert torch.equal(occlude(image, "lower")[0, 0], expected)


def test_middle_row_of_an_odd_height_belongs_to_the_upper_half():
    image = torch.ones(1, 1, 5, 1, dtype=torch.uint8)
    assert occlude(image, "lower").flatten().tolist() == [0, 0, 0, 1, 1]
    assert occlude(image, "upper").flatten().tolist() == [1, 1, 1, 0, 0]


@given(SHAPES)
def test_halves_partition_the_face(shape):
    image = torch.randint(1, 256, shape, dtype=torch.uint8)
    before = image.clone()
    lower, upper = occlude(image, "lower"), occlude(image, "upper")
    assert torch.equal(lower + upper, image)
    assert not ((lower > 0) & (upper > 0)).any()
    assert torch.equal(image, before), "the input must not change"
    assert torch.equal(occlude(lower, "lower"), lower)
    assert torch.equal(occlude(image, "full"), image)


def test_unknown_half():
    with pytest.raises(ValueError, match="'left'"):
        occlude(torch.zeros(1, 1, 2, 2), "left")


def band(images):
    hidden = images.clone()
    hidden[..., 1:2, :] = 0
    return hidden


def test_a_view_of_one_s_own(monkeypatch):
    monkeypatch.setitem(OCCLUDERS, "band", Occluder("all but a band", band))
    face = torch.ones(1, 4, 3, dtype=torch.uint8)
    assert occlude(face, "band").sum((0, 2)).tolist() == [3, 0, 3, 3]
    assert view_title("band") == "all but a band"
    assert visible_pixels("band", 4, 3).sum(1).tolist() == [3, 0, 3, 3]
    assert torch.equal(occlude(face, "tests.test_occlusion:band"), occlude(face, "band"))
    assert view_title("tests.test_occlusion:band") == "band"


def test_visible_pixels_of_the_halves():
    assert visible_pixels("full", 5, 2).all()
    assert visible_pixels("lower", 5, 2)[:, 0].tolist() == [False, False, False, True, True]
    assert visible_pixels("upper", 5, 2)[:, 0].tolist() == [True, True, True, False, False]
