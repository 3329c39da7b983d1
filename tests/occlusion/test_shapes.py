"""Where the shapes lie, what they are called, and that a changed one has another version."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import (
    Varied,
    face_keys,
    occlude,
    occluder,
    varies,
    versions,
    view_title,
    visible_pixels,
)
from occkd_lib.occlusion.draws import uniform
from occkd_lib.occlusion.layers import Layer, painted

MANY = face_keys(map(str, range(300)))
EYES, MOUTH, BROW = ((0.34, 0.32), (0.34, 0.66)), ((0.7, 0.5), (0.8, 0.5)), ((0.12, 0.5),)
DRAWN = {  # view -> version, bytes of four faces; after a change: a new version, then new bytes
    "mask": ("1", "5afd4ccbc9ed"),
    "headset": ("1", "702c9db8abbe"),
    "band": ("1", "44bc94f97d09"),
    "lower_varied": ("1", "7c9802380045"),
    "upper_varied": ("1", "95d5b3a4d56d"),
    "lower+mask": ("1; mask 1", "979c6a9107c0"),
}


@pytest.mark.parametrize(("view", "known"), DRAWN.items(), ids=str)
def test_a_shape_that_changes_must_change_its_version(view, known):
    flat = torch.full((4, 3, 48, 48), 128, dtype=torch.uint8)
    seen = occlude(flat, view, face_keys("abcd"))
    found = versions([view])[view], hashlib.sha256(seen.numpy().tobytes()).hexdigest()[:12]
    assert found == known


@pytest.mark.parametrize(
    ("view", "hidden", "shown"),
    [
        ("mask", (*MOUTH, (0.88, 0.5)), (*EYES, *BROW)),
        ("headset", EYES, MOUTH),
        ("band", EYES, (*MOUTH, *BROW)),
        ("lower_varied", (*BROW, (0.38, 0.5)), MOUTH),
        ("upper_varied", MOUTH, (*BROW, (0.38, 0.5))),
    ],
)
def test_eyes_mouth_and_brow(view, hidden, shown):
    for size in (48, 200):
        seen = visible_pixels(view, size, size, MANY)
        for places, share in ((hidden, 0), (shown, 1)):
            for row, column in places:
                at = seen[:, int(row * size), int(column * size)].float().mean()
                assert at == pytest.approx(share, abs=0.02), (view, row, column)


def test_shapes_are_as_large_as_they_are_said_to_be_and_vary():
    limits = {"mask": (0.25, 0.5), "headset": (0.25, 0.5), "band": (0.1, 0.26)}
    for view, (least, most) in limits.items():
        share = 1 - visible_pixels(view, 96, 96, MANY).float().mean((1, 2))
        assert share.min() > least and share.max() < most, (view, share.min(), share.max())
        assert share.std() > 0.02
        flat = occlude(torch.full((300, 3, 48, 48), 128, dtype=torch.uint8), view, MANY)
        assert len(flat.flatten(1).unique(dim=0)) == 300, "no two alike"


def test_varied_cuts_row_by_row():
    for view, side, above in (("lower_varied", "top", True), ("upper_varied", "bottom", False)):
        seen = visible_pixels(view, 30, 2, MANY)
        for key, face in zip(MANY[:50], seen, strict=False):
            cut = 0.4 + 0.2 * uniform(key[None], f"cut {side}").item()
            shown = [((r + 0.5) / 30 < cut) != above for r in range(30)]
            assert face[:, 0].tolist() == face[:, 1].tolist() == shown
    rows = visible_pixels("lower_varied", 200, 1, MANY).sum((1, 2)) / 200
    assert 0.4 <= rows.min() < 0.42 and 0.58 < rows.max() <= 0.6


def test_hidden_shares_by_hand():
    image = torch.arange(1, 9, dtype=torch.uint8).view(1, 8, 1)
    assert occlude(image, "top_25").flatten().tolist() == [0, 0, 3, 4, 5, 6, 7, 8]
    assert occlude(image, "bottom_25").flatten().tolist() == [1, 2, 3, 4, 5, 6, 0, 0]
    assert occlude(image, "top_30").flatten().tolist() == [0, 0, 0, 4, 5, 6, 7, 8], "r < 2.4"
    assert torch.equal(occlude(image, "top_0"), image)
    assert view_title("top_25") == "lower 75 %" and view_title("bottom_30") == "upper 70 %"


@given(st.integers(1, 60), st.integers(1, 99))
def test_what_is_hidden_above_and_below_is_the_face(height, share):
    image = torch.ones(1, height, 2, dtype=torch.uint8)
    top, rest = occlude(image, f"bottom_{100 - share:02}"), occlude(image, f"top_{share:02}")
    assert torch.equal(top + rest, image)
    for ours, half in (("top_50", "lower"), ("bottom_50", "upper")):
        assert torch.equal(occlude(image, ours), occlude(image, half))


def test_a_mixture_gives_each_face_one_of_its_views():
    images = torch.randint(1, 256, (300, 1, 24, 24), dtype=torch.uint8)
    seen = occlude(images, "lower+mask", MANY)
    parts = [occlude(images, view, MANY) for view in ("lower", "mask")]
    which = torch.stack([(seen == part).flatten(1).all(1) for part in parts])
    assert which.sum(0).tolist() == [1] * 300, "one of them, and not both"
    assert 120 < which[0].sum() < 180
    assert torch.equal(seen, occlude(images, "mask+lower", MANY))
    shown = visible_pixels("lower+mask", 24, 24, MANY)
    assert torch.equal(shown[which[0]], visible_pixels("lower", 24, 24, MANY)[which[0]])
    assert torch.equal(shown[which[1]], visible_pixels("mask", 24, 24, MANY)[which[1]])
    assert view_title("lower+mask") == "mixed: lower half, all but a mask"


def test_versions_of_what_is_drawn_alone():
    assert versions(["full", "lower", "top_20"]) == {}
    assert versions(["full", "mask", "full+lower"]) == {"mask": "1", "full+lower": "1"}
    assert varies("mask") and varies("full+lower") and not varies("top_20")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("left", "must be one of full, lower.*not 'left'"),
        ("maks", "did you mean 'mask'"),
        ("top_100", "not 'top_100'"),
        ("lower+", "not ''"),
        ("lower+lower", "twice"),
        ("lower+tests.occlusion.test_shapes:DOT", "the book's own views"),
    ],
)
def test_names_there_are_not(name, message):
    with pytest.raises(ValueError, match=message):
        occluder(name)


def dot(faces, height, width):
    cover = torch.zeros(len(faces), 1, height, width)
    cover[torch.arange(len(faces)), 0, 0, faces % width] = 1
    return Layer(0, cover)


DOT = painted("a dot", "3", dot)


def test_a_varied_view_of_one_s_own():
    name = "tests.occlusion.test_shapes:DOT"
    seen = occlude(torch.ones(2, 1, 2, 3), name, torch.tensor([1, 5]))
    assert seen[:, 0, 0].tolist() == [[1, 0, 1], [1, 1, 0]] and seen[:, 0, 1].all()
    assert isinstance(occluder(name), Varied) and versions([name]) == {name: "3"}


def test_a_picture_of_one_s_own(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = (200, 100, 0, 255)
    pixels[2] = (255, 255, 255, 51)
    path = str(tmp_path / "glasses.png")
    Image.fromarray(pixels).save(path)
    images, keys = torch.full((3, 3, 4, 4), 100, dtype=torch.uint8), MANY[:3]
    seen = occlude(images, path, keys)
    assert seen[:, :, 0, 0].tolist() == [[200, 100, 0]] * 3
    assert seen[:, :, 2, 1].tolist() == [[131] * 3] * 3 and (seen[:, :, 3] == 100).all()
    assert visible_pixels(path, 4, 4)[:, 0].tolist() == [False, False, True, True]
    assert occlude(images[:, :1], path, keys)[0, 0, 2, 0] == 131
    assert occlude(torch.zeros(3, 3, 8, 8), path, keys).shape == (3, 3, 8, 8)
    assert view_title(path) == "all but glasses" and len(versions([path])[path]) == 16
    with pytest.raises(OcckdError, match="nothing.png.*cannot be read"):
        occluder(str(tmp_path / "nothing.png"))
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    with pytest.raises(OcckdError, match="nowhere transparent"):
        occluder(str(tmp_path / "opaque.png"))
