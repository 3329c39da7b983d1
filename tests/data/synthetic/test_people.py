"""The built-in faces: reproducible, complete, and informative in both halves."""

import numpy as np
import pytest
import torch

from occkd_lib.data.canvas import Canvas
from occkd_lib.data.drawing import draw
from occkd_lib.data.faceset import EXPRESSIONS, GENDERS
from occkd_lib.data.synthetic import ACTION_UNITS, LOWER, UPPER, describe, draw_faces
from occkd_lib.errors import OcckdError


@pytest.fixture(scope="module")
def faces():
    return draw_faces(100, task="expression", seed=3)


@pytest.fixture(scope="module")
def many():
    return draw_faces(800, task="expression", seed=0)


def test_shapes_types_and_names(faces):
    assert faces.name == "synthetic" and faces.classes == EXPRESSIONS
    assert faces.images.shape == (100, 3, 48, 48) and faces.images.dtype == torch.uint8
    assert faces.targets.dtype == torch.int64
    assert (faces.ids[0], faces.ids[99]) == ("synthetic-000000", "synthetic-000099")
    assert not faces.duplicate_of_train.any()
    assert [len(faces.split(name)) for name in ("train", "val", "test")] == [60, 20, 20]


def test_the_same_seed_draws_the_same_faces(faces):
    again = draw_faces(100, task="expression", seed=3)
    assert torch.equal(again.images, faces.images)
    assert again.fingerprint() == faces.fingerprint()


def test_another_seed_draws_other_faces_and_splits(faces):
    other = draw_faces(100, task="expression", seed=4)
    assert (other.images != faces.images).flatten(1).any(1).all()
    assert (other.splits != faces.splits).any()


def test_one_drawing_serves_all_tasks(faces):
    gender, age = (draw_faces(100, task=task, seed=3) for task in ("gender", "age"))
    for other in (gender, age):
        assert torch.equal(other.images, faces.images)
        assert (other.splits == faces.splits).all()
        assert other.table.equals(faces.table)
    assert gender.classes == GENDERS and gender.targets.dtype == torch.int64
    assert age.classes == () and age.targets.dtype == torch.float32
    assert (gender.targets.numpy() == faces.table.gender).all()
    assert (age.targets.numpy() == faces.table.age).all()


def test_drawing_in_chunks_changes_nothing(faces, monkeypatch):
    monkeypatch.setattr("occkd_lib.data.synthetic.CHUNK", 7)
    assert torch.equal(draw_faces(100, task="expression", seed=3).images, faces.images)


def test_all_classes_and_ages_occur():
    _, table = describe(400, np.random.default_rng(0))
    assert table.expression.value_counts().to_dict() == {k: 50 for k in range(8)}
    assert table.gender.value_counts().to_dict() == {0: 200, 1: 200}
    assert 1 <= table.age.min() < 8 and 80 < table.age.max() <= 90


def test_no_image_is_blank_or_washed_out(faces):
    brightness = faces.images.float().mean((1, 2, 3))
    assert 25 < brightness.min() and brightness.max() < 235
    assert faces.images.float().flatten(1).std(1).min() > 15


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 9}, "at least 10"),
        ({"n": 0}, "at least 10"),
        ({"size": 8}, "at least 16"),
        ({"task": "mood"}, "expression, gender, age"),
    ],
)
def test_impossible_requests_say_what_is_possible(change, message):
    with pytest.raises(OcckdError, match=message):
        draw_faces(**{"n": 20, "task": "age", **change})


def test_pictures_are_drawn_once(outputs, monkeypatch):
    plain = draw_faces(40, task="age", seed=5).images
    first = draw_faces(40, task="age", seed=5, cache=True).images

    def draws_again(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr("occkd_lib.data.synthetic.draw_all", draws_again)
    kept = draw_faces(40, task="gender", seed=5, cache=True).images
    assert torch.equal(plain, first) and torch.equal(plain, kept)
    with pytest.raises(AssertionError, match="drawn again"):
        draw_faces(40, task="age", seed=6, cache=True)


def test_a_damaged_cache_is_drawn_again(outputs):
    first = draw_faces(40, task="age", seed=5, cache=True).images.clone()
    (path,) = (outputs / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(draw_faces(40, task="age", seed=5, cache=True).images, first)


def test_a_sample_is_always_the_same(faces):
    assert faces.sample(None) is faces and faces.sample(100) is faces
    some = faces.sample(10)
    assert len(set(some.ids)) == 10 and list(some.ids) == sorted(some.ids)
    assert list(faces.sample(10).ids) == list(some.ids) != list(faces.sample(10, seed=1).ids)
    assert torch.equal(some.images[:], faces.images[[int(i[-6:]) for i in some.ids]])


def test_what_a_notebook_prints_of_faces(faces):
    """Counts, not a thousand pixels."""
    wanted = "FaceSet(synthetic, expression: 20 faces of 3 x 48 x 48; train 0, val 20, test 0)"
    assert repr(faces.split("val")) == wanted
