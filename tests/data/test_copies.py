"""Copies: identical ones, near ones, their groups."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data.copies import (
    CHUNK,
    SIDE,
    STEPS,
    THRESHOLD,
    cells_of,
    examples,
    find_duplicates,
    groups_of_copies,
    linked,
    pairs_above,
    repeats_of_train,
    together,
    with_copies,
)
from occkd_lib.data.synthetic.people import describe, draw_all


def test_find_duplicates_numbers_groups_in_order():
    values = np.array([5, 3, 5, 1, 3, 3, 9], np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (7, 1, 4, 4))
    wanted = [0, 1, 0, -1, 1, 1, -1]
    assert find_duplicates(images).tolist() == wanted
    assert find_duplicates(torch.tensor(images.copy())).tolist() == wanted
    assert find_duplicates(images[:0]).tolist() == []
    assert find_duplicates(images[3:]).dtype == np.int64


def test_one_pixel_makes_a_difference():
    images = np.zeros((3, 1, 4, 4), np.uint8)
    images[1, 0, 3, 3] = 1
    assert find_duplicates(images).tolist() == [0, -1, 0]


def test_repeats_of_train():
    groups = np.array([0, 0, 1, 1, -1, -1, 0])
    splits = np.array(["train", "val", "val", "test", "train", "test", "test"])
    wanted = [False, True, False, False, False, False, True]
    assert repeats_of_train(groups, splits).tolist() == wanted


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 40, 60), (3, 48, 48), (3, 7, 25)])
def test_cells_are_mean_brightness(channels, height, width):
    """Against a slow loop over cells, whatever the size."""
    images = np.random.default_rng(0).integers(0, 256, (2, channels, height, width), dtype=np.uint8)
    grey = images[:, 0] if channels == 1 else np.tensordot([0.299, 0.587, 0.114], images, (0, 1))
    for image, found in zip(grey, cells_of(images).reshape(2, SIDE, SIDE), strict=True):
        for i in range(SIDE):
            for j in range(SIDE):
                top, left = i * height // SIDE, j * width // SIDE
                bottom = max((i + 1) * height // SIDE, top + 1)
                right = max((j + 1) * width // SIDE, left + 1)
                mean = image[top:bottom, left:right].mean()
                assert abs(found[i, j] / STEPS - mean) <= 0.5 / STEPS + 1e-9
    assert torch.equal(cells_of(images), cells_of(images).round())


def test_pairs_against_every_correlation_there_is():
    """Also across the borders of a chunk, and whatever the brightness and contrast."""
    rng = np.random.default_rng(1)
    few = rng.integers(0, 4080, (6, 400))
    which = rng.integers(0, 6, CHUNK + 40)
    cells = few[which] // rng.integers(1, 4, (len(which), 1)) + rng.integers(
        0, 400, (len(which), 400)
    )
    cells[[3, CHUNK + 3]] = 100  # one brightness: like nothing, not even each other
    with np.errstate(invalid="ignore"):
        slow = np.nan_to_num(np.corrcoef(cells))
    pairs = pairs_above(torch.tensor(cells, dtype=torch.float64), 0.9)
    first, second = np.nonzero(np.triu(slow > 0.9, 1))
    wanted = pd.DataFrame({"first": first, "second": second, "correlation": slow[first, second]})
    pd.testing.assert_frame_equal(
        pairs.sort_values(["first", "second"], ignore_index=True), wanted, atol=1e-9
    )
    assert 0 < len(pairs) < len(which) ** 2 / 4


def test_no_pairs_and_no_images():
    assert len(pairs_above(torch.empty(0, 400, dtype=torch.float64), 0.9)) == 0
    none = groups_of_copies([])
    assert list(none.columns) == ["group", "near"] and len(none) == 0


def test_identical_images_of_one_brightness_are_near_copies_too():
    images = np.zeros((4, 1, 30, 30), np.uint8)
    images[2] = 7
    table = groups_of_copies([images])
    assert table["group"].tolist() == [0, 0, -1, 0] == table["near"].tolist()


def test_the_threshold_is_exact():
    """The pair that is exactly at the threshold is not above it."""
    cells = torch.tensor([[1.0, 0, 0, 0], [1, 0, 0, 1], [0, 5, 5, 0]], dtype=torch.float64)
    r = 1 / np.sqrt(3)  # by hand: covariance 1/8, variances 3/16 and 1/4
    (pair,) = pairs_above(cells, r - 1e-12).to_numpy().tolist()
    assert pair[:2] == [0, 1] and pair[2] == pytest.approx(r, abs=1e-15)
    assert len(pairs_above(cells, pair[2])) == 0


@pytest.fixture(scope="module")
def people():
    described, _ = describe(30, np.random.default_rng(0))
    return draw_all(described, 30, 0, 96)


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def test_what_a_near_copy_is(people):
    """Encoded again, darker, smaller, with a mark on it, cut by a pixel: copies; others: not."""
    face = people[4]
    small = Image.fromarray(face.transpose(1, 2, 0)).resize((40, 40)).resize((96, 96))
    marked = face.copy()
    marked[:, 84:90, 10:22] = 255
    copies = [
        jpeg(face, 20),
        (face * 0.6).astype(np.uint8) + 30,
        np.asarray(small).transpose(2, 0, 1),
        marked,
        np.roll(face, 1, axis=2),
    ]
    images = np.stack([*people, *copies, face])
    table = groups_of_copies(np.array_split(images, 4))
    alike = [4, *range(30, 36)]
    assert table["near"].to_numpy()[alike].tolist() == [0] * 7
    assert (np.delete(table["near"].to_numpy(), alike) == -1).all()
    assert np.flatnonzero(table["group"] == 0).tolist() == [4, 35]


def test_a_copy_of_a_copy_belongs_to_the_group():
    pairs = pd.DataFrame({"first": [5, 1, 2], "second": [6, 2, 4]})
    assert linked(pairs, 8).tolist() == [-1, 0, 0, -1, 0, 1, 1, -1]
    one, other = np.array([-1, 0, 0, -1, 1, 1]), np.array([3, -1, 7, 7, -1, -1])
    assert together(one, other).tolist() == [-1, 0, 0, 0, 1, 1]
    assert together(one).tolist() == one.tolist()
    assert together(np.array([-1, -1])).tolist() == [-1, -1]


def test_with_copies():
    table = pd.DataFrame(
        {
            "split": ["train", "test", "val", "test", "train"],
            "group": [0, 0, -1, -1, -1],
            "near": [0, 0, 1, 0, 1],
        }
    )
    marked = with_copies(table)
    assert marked["duplicate_of_train"].tolist() == [False, True, False, False, False]
    assert marked["near_copy_of_train"].tolist() == [False, True, True, True, False]


def test_examples_at_the_threshold(people):
    """Pairs just below and just above, by correlation; identical ones show nothing."""
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(people[4] + rng.normal(0, spread, people[4].shape), 0, 255).astype(np.uint8)
        for spread in range(0, 200, 10)
    ]
    images = torch.tensor(np.stack([people[4], *noisy]))
    found = examples(images, count=3)
    r = found["correlation"].to_numpy()
    assert len(found) == 6 and (np.sort(r) == r).all()
    assert (r > THRESHOLD).tolist() == [False] * 3 + [True] * 3
    slow = np.corrcoef(cells_of(images.numpy()))
    assert np.allclose(slow[found["first"], found["second"]], r)
    every = np.sort(slow[np.triu_indices(len(images), 1)])
    assert np.allclose(r[3:], every[every > THRESHOLD][:3])
    assert np.allclose(r[:3], every[every <= THRESHOLD][-3:])
