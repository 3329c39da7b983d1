"""A FaceSet: its parts, its samples, what it says of itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from occkd_lib.data import FaceSet, load_faces


@pytest.fixture(scope="module")
def faces():
    return load_faces("synthetic", task="expression", faces=100, split_seed=3, cache=False)


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


def hand_made(**change):
    content = {
        "name": "hand",
        "task": "category",
        "classes": ("a", "b"),
        "images": torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1),
        "targets": torch.tensor([0, 1, 1, 0]),
        "ids": np.array(list("wxyz")),
        "splits": np.array(["train", "val", "test", "test"]),
        "duplicate_of_train": np.array([False, False, True, False]),
        "near_copy_of_train": np.array([False, True, True, False]),
        "soft_targets": torch.arange(8.0).view(4, 2),
        "table": pd.DataFrame({"age": [1, 2, 3, 4]}),
    }
    return FaceSet(**{**content, **change})


def test_everything_that_has_a_row_a_face_is_selected():
    part = hand_made().split("test").select(np.array([1, 0]))
    assert part.images[:].flatten().tolist() == [3, 2] and part.ids.tolist() == ["z", "y"]
    assert part.targets.tolist() == [0, 1] and part.splits.tolist() == ["test", "test"]
    assert part.duplicate_of_train.tolist() == [False, True]
    assert part.near_copy_of_train.tolist() == [False, True]
    assert part.soft_targets.tolist() == [[6, 7], [4, 5]] and part.table["age"].tolist() == [4, 3]
    assert hand_made().split("val").near_copy_of_train.tolist() == [True]


def test_copies_and_table_need_not_be_given():
    faces = hand_made(duplicate_of_train=None, near_copy_of_train=None, table=pd.DataFrame())
    assert faces.duplicate_of_train.tolist() == [False] * 4 == faces.near_copy_of_train.tolist()
    assert len(faces.split("test").table) == 0
    known = hand_made(near_copy_of_train=None)  # an identical face is a near copy
    assert known.near_copy_of_train.tolist() == known.duplicate_of_train.tolist()


@pytest.mark.parametrize(
    "name", ["targets", "ids", "splits", "duplicate_of_train", "near_copy_of_train"]
)
def test_lengths_must_agree(name):
    with pytest.raises(ValueError, match=f"{name} has 3 rows, images has 4"):
        hand_made(**{name: getattr(hand_made(), name)[:3]})


def test_a_fingerprint_tells_faces_apart(faces):
    known = faces.fingerprint()
    assert replace(faces).fingerprint() == known
    pixels = faces.images.clone()
    pixels[0] = 0
    changes = {
        "name": "other",
        "task": "category",
        "label_rule": "majority",
        "ids": faces.ids[::-1],
        "splits": np.full(len(faces), "test"),
        "targets": faces.targets.flip(0),
        "images": pixels,
    }
    marks = {replace(faces, **{key: value}).fingerprint() for key, value in changes.items()}
    assert len(marks | {known}) == 8
