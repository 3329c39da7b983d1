"""Where a crop lies, and what is in it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.apply.crop import STYLES, Square, Style, cut, place, style
from occkd_lib.apply.detect import Face, whole
from occkd_lib.errors import OcckdError

MEASURED = Path(__file__).parents[2] / "outputs/reference/benchmarks/face_crops.json"


def noise(height=40, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# --- cutting --------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_the_whole_image_comes_out_as_it_is(size, seed):
    image = noise(size, size, seed)
    assert np.array_equal(cut(image, (0, 0, size, size), size), image)


def test_a_part_is_that_part():
    image = noise(30, 50)
    assert np.array_equal(cut(image, (20, 5, 40, 25), 20), image[5:25, 20:40])


def test_outside_of_the_photo_it_is_black():
    image = noise(10, 10) | 1
    part = cut(image, (-5, -3, 5, 7), 10)
    assert np.array_equal(part[3:, 5:], image[:7, :5])
    assert not part[:3].any() and not part[:, :5].any()
    assert not cut(image, (20, 20, 30, 30), 8).any()


def test_shrinking_averages():
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    image = np.repeat(checks[..., None].astype(np.uint8), 3, 2)
    small = cut(image, (0, 0, 64, 64), 8)
    assert abs(small.astype(int) - 127).max() < 12  # without averaging: 0 and 255
    turned = cut(image, (8, 8, 56, 56), 6, angle=90)
    assert abs(turned.astype(int) - 127).max() < 12


def test_a_box_that_is_no_square_is_stretched():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 20:] = 200
    stretched = cut(image, (0, 0, 40, 20), 20)
    assert not stretched[:, :9].any() and (stretched[:, 11:] == 200).all()


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_face_that_leans_clockwise_is_turned_back(angle, turns):
    image = noise()
    upright = cut(image, (0, 0, 40, 40), 40, angle=angle)
    assert abs(upright.astype(int) - np.rot90(image, turns)).max() <= 1


def test_turning_is_about_the_centre_of_the_box():
    image = np.zeros((60, 80, 3), np.uint8)
    image[28:32, 38:42] = 255  # about (40, 30)
    for angle in (10, 45, -70):
        part = cut(image, (25, 15, 55, 45), 30, angle=angle)
        rows, columns = np.nonzero(part[..., 0] > 128)
        assert rows.mean() == pytest.approx(14.5, abs=0.3)
        assert columns.mean() == pytest.approx(14.5, abs=0.3)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (5, 5, 1, 9), (0, 0, math.nan, 5), (0, 0, 5, math.inf)]
)
def test_an_impossible_box(box):
    with pytest.raises(OcckdError, match="finite corners and an area"):
        cut(noise(), box, 8)


def test_a_box_that_would_fill_the_memory():
    with pytest.raises(OcckdError, match="far larger than the photo"):
        cut(noise(), (0, 0, 1e9, 1e9), 8)
    assert cut(noise(), (-100, -100, 200, 200), 8).shape == (8, 8, 3)


@given(
    st.tuples(*[st.floats(-50, 90)] * 2),
    st.floats(0.01, 200),
    st.floats(-180, 180),
    st.integers(1, 64),
)
@settings(max_examples=60, deadline=None)
def test_any_square_gives_a_crop(corner, side, angle, size):
    box = (corner[0], corner[1], corner[0] + side, corner[1] + side)
    for turned in (0.0, angle):
        part = cut(noise(), box, size, angle=turned)
        assert part.shape == (size, size, 3) and part.dtype == np.uint8


# --- placing --------------------------------------------------------------------------------

SIMPLE = Style(((0.25, 0.25), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.75, 0.75)), 1.5, 0.1, 0.0)


def test_by_the_box_by_hand():
    square = place(Face((10, 20, 30, 60), 0.9), SIMPLE)  # longer side 40, centre (20, 40)
    assert square.box == pytest.approx((20 - 30, 44 - 30, 20 + 30, 44 + 30)) and square.angle == 0


def test_a_crop_stays_a_crop():
    (face,) = whole(noise(20, 30))
    assert place(face, SIMPLE) == Square((0, 0, 30, 20), 0.0)


def seen(style, x, y, side, angle):
    """The style's landmarks, in a crop with its corner at (x, y), turned about its centre."""
    points = np.array(style.landmarks) - 0.5
    a = math.radians(angle)
    turned = points @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    return turned * side + (x + side / 2, y + side / 2)


@pytest.mark.parametrize("known", [SIMPLE, *STYLES.values()])
@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(10, 300), st.floats(-179, 179))
@settings(max_examples=30, deadline=None)
def test_landmarks_that_lie_as_in_the_style_give_the_crop_back(known, x, y, side, angle):
    landmarks = seen(known, x, y, side, angle)
    middle, half = (x + side / 2, y + side / 2), side / known.side / 2
    box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    square = place(Face(box, 0.9, landmarks), known)
    excess = math.copysign(max(abs(angle) - known.tilt, 0), angle)
    assert square.angle == pytest.approx(excess, abs=1e-6)
    assert square.box[2] - square.box[0] == pytest.approx(side)
    if known.tilt == 0:
        assert square.box == pytest.approx((x, y, x + side, y + side))


def test_ferplus_lets_faces_lean_and_utkface_levels_their_eyes():
    for name, angle, left in (("ferplus", 10, 0), ("ferplus", 40, 25), ("utkface", 10, 10)):
        known = STYLES[name]
        face = Face((0, 0, 90, 90), 0.9, seen(known, 0, 0, 90, angle))
        assert place(face, known).angle == pytest.approx(left)


def test_landmarks_that_have_nothing_to_do_with_the_box_do_not_count():
    face = Face((10, 20, 30, 60), 0.9)
    for landmarks in (np.zeros((5, 2)), seen(SIMPLE, 0, 0, 5000, 0)):
        assert place(face._replace(landmarks=landmarks), SIMPLE) == place(face, SIMPLE)


def test_a_crop_of_a_turned_face_is_upright():
    """The eyes of a drawn face end up level, where the style has them."""
    image = np.zeros((300, 300, 3), np.uint8)
    landmarks = seen(SIMPLE, 80, 90, 120, 30)
    for x, y in landmarks[:2]:
        image[round(y) - 4 : round(y) + 4, round(x) - 4 : round(x) + 4] = 255
    square = place(Face((90, 90, 190, 190), 0.9, landmarks), SIMPLE)
    part = cut(image, square.box, 100, angle=square.angle)[..., 0] > 128
    for half, x in ((part[:, :50], 25), (part[:, 50:], 25)):
        rows, columns = np.nonzero(half)
        assert rows.mean() == pytest.approx(25, abs=1) and columns.mean() == pytest.approx(x, abs=1)


# --- styles ---------------------------------------------------------------------------------


def test_styles_by_name(tmp_path, monkeypatch):
    assert style("ferplus") is STYLES["ferplus"]
    with pytest.raises(OcckdError, match=r"no style of crops 'utkfaces': did you mean 'utkface'"):
        style("utkfaces")
    with pytest.raises(OcckdError, match="were cut is not known, so none can be"):
        style("folder")
    (tmp_path / "own_style.py").write_text(
        "from occkd_lib.apply.crop import STYLES\nMINE = STYLES['utkface']\nOTHER = 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert style("own_style:MINE") == STYLES["utkface"]
    with pytest.raises(OcckdError, match="is no Style"):
        style("own_style:OTHER")


@pytest.mark.parametrize("name", STYLES)
def test_the_constants_are_those_measured(name):
    measured, known = json.loads(MEASURED.read_text())[name], STYLES[name]
    landmarks = np.array(measured["landmarks"]["median"])
    assert np.array(known.landmarks) == pytest.approx(landmarks, abs=0.005)
    assert known.side == pytest.approx(measured["side"]["median"], abs=0.01)
    assert known.down == pytest.approx(measured["down"]["median"], abs=0.005)
