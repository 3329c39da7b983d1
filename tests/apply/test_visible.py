"""Which half can be seen: the features by hand, and the judgement on drawn and covered faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from occkd_lib.apply.visible import VIEWS, WEIGHTS, features, judge_visible
from occkd_lib.data import load_faces

MEASURED = Path(__file__).parents[2] / "outputs/reference/benchmarks/visible.json"


def noise(size=48, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [7, 48, 200])
def test_what_the_book_hides_is_certain(size):
    crop = noise(size)
    cut = (size + 1) // 2
    crop[:cut] = 0
    assert judge_visible(crop) == ("lower", 1.0)
    crop = noise(size)
    crop[cut:] = 0
    assert judge_visible(crop) == ("upper", 1.0)


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (3, 90), (300, 200)])
def test_any_crop_gets_a_judgement(shape):
    for value in (0, 128, 255):
        judged = judge_visible(np.full((*shape, 3), value, np.uint8))
        assert judged.visible in VIEWS and 1 / 3 <= judged.confidence <= 1


def test_features_by_hand():
    crop = np.full((48, 48, 3), 100, np.uint8)
    crop[:, 24:] = 200  # one vertical edge between columns 23 and 24
    seen = features(crop)
    assert seen.shape == (540,) and seen.dtype == np.float32
    lie, strong = seen[:216].reshape(6, 6, 6), seen[216:252].reshape(6, 6)
    differ, colourful = seen[252:396].reshape(12, 12), seen[396:].reshape(12, 12)
    # brightness changes to the right: direction 0, in the cells at either side of the edge
    assert not lie[:, :, 1:].any() and not lie[:, [0, 1, 4, 5]].any()
    share = 50 / 255 / 8  # the mean edge there: one column of eight has half of the step
    assert lie[:, 2:4, 0] == pytest.approx(np.full((6, 2), share / (share + 0.01)), abs=1e-4)
    assert strong[:, 2:4] - strong[:, :1] == pytest.approx(
        np.log((share + 0.003) / 0.003) * np.ones((6, 2)), abs=1e-4
    )
    assert differ == pytest.approx(np.full((12, 12), np.log(0.004)), abs=1e-3)
    assert not colourful.any()
    crop[..., 0] = 255  # red 255 beside 100 and 200
    assert features(crop)[396:].reshape(12, 12)[0] == pytest.approx(
        [155 / 255] * 6 + [55 / 255] * 6
    )


def test_brightness_hardly_matters():
    crop = noise() // 2
    a, b = features(crop), features(np.clip(crop.astype(int) + 40, 0, 255).astype(np.uint8))
    assert abs(a - b).max() < 0.05


def test_the_weights_are_small_and_plain():
    assert WEIGHTS.stat().st_size < 10_000
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        assert stored["weights"].shape == (3, 540) and stored["bias"].shape == (3,)
        assert all(stored[name].dtype == np.float32 for name in stored.files)


def test_the_measured_numbers_are_those_of_the_docstring():
    measured = json.loads(MEASURED.read_text())["trained_on_all"]
    assert [round(measured["none"][n], 2) for n in ("utkface", "ferplus")] == [0.98, 0.92]
    assert [round(measured["mask"][n], 2) for n in ("utkface", "ferplus")] == [0.99, 0.97]


@pytest.mark.parametrize("name", ["utkface", "ferplus"])
def test_real_faces_under_plain_covers(name):
    options = (
        {"task": "gender"} if name == "utkface" else {"task": "expression", "labels": "majority"}
    )
    try:
        faces = load_faces(name, **options).split("test").sample(60, seed=1)
    except Exception as error:
        pytest.skip(f"no {name} here: {error}")
    right = {view: 0 for view in VIEWS}
    for image in faces.images:
        crop = image.numpy().transpose(1, 2, 0)
        crop = np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)))
        for view in VIEWS:
            covered, half = crop.copy(), len(crop) // 2
            if view != "full":
                covered[slice(half) if view == "lower" else slice(half, None)] = 90, 120, 150
            right[view] += judge_visible(covered).visible == view
    assert min(right.values()) > 0.85 * len(faces), right
