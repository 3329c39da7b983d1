"""The same classes in the words of several data sets."""

import numpy as np
import pytest
import torch

from occkd_lib.data import EXPRESSIONS, GENDERS, VOCABULARIES, FaceSet, mapping, relabelled
from occkd_lib.data.vocabularies import canonical
from occkd_lib.errors import OcckdError


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        ("ferplus8", "rafdb7", [0, 1, 2, 3, 4, 5, 6, -1]),
        ("rafdb7", "affectnet8", [0, 1, 2, 3, 4, 5, 6]),
        ("affectnet7", "affectnet7", [0, 1, 2, 3, 4, 5, 6]),
        (["Happy", "ANGRY", "sad", "bored"], "ferplus8", [1, 4, 3, -1]),
        ("genders", ["woman", "man"], [1, 0]),
        (["f", "m"], "genders", [1, 0]),
        ("genders", "ferplus8", [-1, -1]),
        ("years", "years", []),
        # the same word comes before a synonym, the first synonym before the second
        (["joy", "happy", "happiness"], ["happy", "joy", "sad"], [1, 0, 0]),
    ],
)
def test_mapping(source, target, wanted):
    found = mapping(source, target)
    assert found.dtype == np.int64
    assert found.tolist() == wanted


def test_words():
    assert [canonical(w) for w in (" Happy", "FEARFUL", "Woman ", "smug")] == [
        "happiness", "fear", "female", "smug",
    ]  # fmt: skip
    assert all(canonical(word) == word for words in VOCABULARIES.values() for word in words)
    assert VOCABULARIES["rafdb7"] == EXPRESSIONS[:7] and VOCABULARIES["genders"] == GENDERS


def faces(classes=EXPRESSIONS, task="expression", n=16, targets=None):
    return FaceSet(
        name="faces",
        task=task,
        classes=classes,
        images=torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 2),
        targets=torch.arange(n) % len(classes) if targets is None else targets,
        ids=np.arange(n).astype(str),
        splits=np.array(["train", "test"])[np.arange(n) % 2],
        soft_targets=torch.full((n, 8), 1 / 8),
        loss="multi_target",
        sample_labels=True,
        vocabulary="ferplus8",
        published=(8, 0, 8),
    )


def test_faces_without_a_counterpart_are_left_out():
    seven = relabelled(faces(), "rafdb7")
    assert seven.classes == EXPRESSIONS[:7] and seven.vocabulary == "rafdb7"
    assert seven.ids.tolist() == [str(i) for i in range(16) if i % 8 != 7]
    assert seven.targets.tolist() == [0, 1, 2, 3, 4, 5, 6] * 2
    assert seven.targets.dtype == torch.int64
    assert seven.images[:][:, 0, 0, 0].tolist() == [i for i in range(16) if i % 8 != 7]
    assert seven.soft_targets is None and seven.loss is None and not seven.sample_labels
    own = relabelled(faces(), ("Sad", "happy"))
    assert own.targets.tolist() == [1, 0, 1, 0] and own.ids.tolist() == ["1", "3", "9", "11"]
    assert own.vocabulary == "own" and own.classes == ("Sad", "happy")


def test_numbers_stay_numbers():
    aged = faces((), "age", 3, torch.tensor([1.0, 2.5, 90.0]))
    same = relabelled(aged, "years")
    assert same.targets.tolist() == [1.0, 2.5, 90.0] and len(same) == 3
    for some, classes in ((aged, "ferplus8"), (faces(), ())):
        with pytest.raises(OcckdError, match="classes and numbers cannot be compared"):
            relabelled(some, classes)


def test_nothing_in_common():
    with pytest.raises(OcckdError, match="faces has no face of the classes male, female"):
        relabelled(faces(), "genders")
