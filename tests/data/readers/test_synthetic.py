"""The built-in faces as a data set: reproducible, complete, drawn once."""

import pytest
import torch

from occkd_lib.data import EXPRESSIONS, GENDERS, load_faces


def draw(n, task, seed, cache=False):
    return load_faces("synthetic", task=task, faces=n, split_seed=seed, cache=cache)


@pytest.fixture(scope="module")
def faces():
    return draw(100, "expression", 3)


def test_shapes_types_and_names(faces):
    assert faces.name == "synthetic" and faces.classes == EXPRESSIONS
    assert faces.images.shape == (100, 3, 48, 48) and faces.images.dtype == torch.uint8
    assert faces.targets.dtype == torch.int64
    assert (faces.ids[0], faces.ids[99]) == ("synthetic-000000", "synthetic-000099")
    assert not faces.duplicate_of_train.any()
    assert [len(faces.split(name)) for name in ("train", "val", "test")] == [60, 20, 20]


def test_the_same_seed_draws_the_same_faces(faces):
    again = draw(100, "expression", 3)
    assert torch.equal(again.images, faces.images)
    assert again.fingerprint() == faces.fingerprint()


def test_another_seed_draws_other_faces_and_splits(faces):
    other = draw(100, "expression", 4)
    assert (other.images != faces.images).flatten(1).any(1).all()
    assert (other.splits != faces.splits).any()


def test_one_drawing_serves_all_tasks(faces):
    gender, age = (draw(100, task, 3) for task in ("gender", "age"))
    for other in (gender, age):
        assert torch.equal(other.images, faces.images)
        assert (other.splits == faces.splits).all()
        assert other.table.equals(faces.table)
    assert gender.classes == GENDERS and gender.targets.dtype == torch.int64
    assert age.classes == () and age.targets.dtype == torch.float32
    assert (gender.targets.numpy() == faces.table.gender).all()
    assert (age.targets.numpy() == faces.table.age).all()


def test_drawing_in_chunks_changes_nothing(faces, monkeypatch):
    monkeypatch.setattr("occkd_lib.data.synthetic.people.CHUNK", 7)
    assert torch.equal(draw(100, "expression", 3).images, faces.images)


def test_pictures_are_drawn_once(outputs, monkeypatch):
    plain = draw(60, "age", 5).images
    first = draw(60, "age", 5, cache=True).images

    def draws_again(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr("occkd_lib.data.synthetic.people.draw_all", draws_again)
    kept = draw(60, "gender", 5, cache=True).images
    assert torch.equal(plain, first) and torch.equal(plain, kept)
    with pytest.raises(AssertionError, match="drawn again"):
        draw(60, "age", 6, cache=True)


def test_a_damaged_cache_is_drawn_again(outputs):
    first = draw(60, "age", 5, cache=True).images.clone()
    (path,) = (outputs / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(draw(60, "age", 5, cache=True).images, first)


def test_the_faces_of_the_demo_are_those_of_the_first_edition():
    """Published results rest on them: neither their pixels nor their splits may change."""
    assert draw(300, "expression", 0).fingerprint() == "c8e1094f5d2e89d2"
