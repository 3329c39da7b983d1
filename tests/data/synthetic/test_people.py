"""How the built-in faces are drawn: complete, and informative in both halves."""

import numpy as np
import pytest
import torch

from occkd_lib.data import EXPRESSIONS, load_faces
from occkd_lib.data.synthetic.canvas import Canvas
from occkd_lib.data.synthetic.drawing import draw
from occkd_lib.data.synthetic.people import ACTION_UNITS, LOWER, UPPER, describe


@pytest.fixture(scope="module")
def many():
    return load_faces("synthetic", task="expression", faces=800, cache=False)


def test_all_classes_and_ages_occur():
    _, table = describe(400, np.random.default_rng(0))
    assert table.expression.value_counts().to_dict() == {k: 50 for k in range(8)}
    assert table.gender.value_counts().to_dict() == {0: 200, 1: 200}
    assert 1 <= table.age.min() < 8 and 80 < table.age.max() <= 90


def test_no_image_is_blank_or_washed_out(many):
    brightness = many.images.float().mean((1, 2, 3))
    assert brightness.min() > 25 and brightness.max() < 235
    assert many.images.float().flatten(1).std(1).min() > 15


def plain_person():
    """One average face without any expression, grain or pose."""
    people, _ = describe(2, np.random.default_rng(0))
    for name in (*UPPER, *LOWER, "roll", "yaw", "shift_x", "shift_y", "grain"):
        getattr(people, name)[:] = 0
    people.zoom[:] = 1
    return people


def change_by_half(expression):
    """Mean pixel change, above and below the middle, when a face turns from neutral to it."""
    silence = np.zeros((2, 1, 48, 48), np.float32)
    person = plain_person()
    neutral = draw(person, 48, silence).astype(float)
    for unit, degree in ACTION_UNITS[expression].items():
        getattr(person, unit)[:] = degree
    change = np.abs(draw(person, 48, silence) - neutral)
    return change[:, :, :24].mean(), change[:, :, 24:].mean()


@pytest.mark.parametrize("expression", EXPRESSIONS[1:])
def test_expressions_show_where_their_action_units_are(expression):
    upper, lower = change_by_half(expression)
    units = ACTION_UNITS[expression].keys()
    assert lower > 0.5
    # blur carries a trace of the lower half across the middle, no more
    assert (upper > 0.5) == bool(units & set(UPPER))


def test_a_one_sided_smile_has_a_mirror_image():
    silence = np.zeros((2, 1, 48, 48), np.float32)
    drawn = []
    for side in "LR":
        person = plain_person()
        for name in ("light_x", "parting"):
            getattr(person, name)[:] = 0
        getattr(person, f"AU12{side}")[:] = 1
        drawn.append(draw(person, 48, silence)[:, :, 24:].astype(int))
    left, right = drawn
    assert np.abs(left - right[..., ::-1]).max() <= 1  # rounding
    assert np.abs(left - right).max() > 50


@pytest.mark.parametrize(
    ("rows", "pair"),
    [
        (slice(24, 48), ("neutral", "happiness")),
        (slice(24, 48), ("anger", "surprise")),
        (slice(0, 24), ("anger", "surprise")),
    ],
)
def test_each_half_tells_expressions_apart_on_its_own(many, rows, pair):
    """A linear rule (ridge regression), learnt on other faces, is right far more often than not."""
    first, second = (EXPRESSIONS.index(name) for name in pair)
    pixels = many.images.double().mean(1)[:, rows].flatten(1) / 255
    of_interest = (many.targets == first) | (many.targets == second)
    train = of_interest & torch.from_numpy(many.splits == "train")
    sign = (many.targets == first).double() * 2 - 1
    x = pixels - pixels[train].mean(0)
    kernel = x[train] @ x[train].T
    weights = torch.linalg.solve(kernel + 3 * torch.eye(len(kernel)), sign[train])
    unseen = of_interest & ~train
    right = (x[unseen] @ x[train].T @ weights) * sign[unseen] > 0
    assert right.double().mean() > 0.7


def test_ellipse_covers_its_area_whatever_the_resolution():
    for size in (48, 96):
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        y, x = np.meshgrid(axis, axis, indexing="ij")
        canvas = Canvas(np.zeros((1, 3, size, size), np.float32), x[None], y[None], 2 / size)
        mask = canvas.ellipse(0.1, -0.1, np.array([0.5]), np.array([0.4]))
        assert mask.sum() * (2 / size) ** 2 == pytest.approx(np.pi * 0.5 * 0.4, rel=0.02)
