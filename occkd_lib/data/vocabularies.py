"""Names of classes, and how those of one data set read in the words of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from occkd_lib.data.faceset import FaceSet
from occkd_lib.errors import OcckdError

EXPRESSIONS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip
GENDERS = ("male", "female")
OWN = "own"  # what the vocabulary of a user's own classes is called

# in FER+'s order everywhere, contempt last: a class has the same number with and without it
VOCABULARIES: dict[str, tuple[str, ...]] = {
    "ferplus8": EXPRESSIONS,
    "affectnet8": EXPRESSIONS,
    "affectnet7": EXPRESSIONS[:-1],
    "rafdb7": EXPRESSIONS[:-1],
    "genders": GENDERS,
    "years": (),  # a number has no classes
}
SYNONYMS = {
    "calm": "neutral", "happy": "happiness", "joy": "happiness", "surprised": "surprise",
    "sad": "sadness", "angry": "anger", "disgusted": "disgust", "fearful": "fear", "afraid": "fear",
    "m": "male", "man": "male", "f": "female", "woman": "female",
}  # fmt: skip


def canonical(word: str) -> str:
    """One spelling for words that mean the same: ``" Happy"`` -> ``"happiness"``."""
    plain = word.strip().casefold()
    return SYNONYMS.get(plain, plain)


def classes_of(vocabulary: str | Sequence[str]) -> tuple[str, ...]:
    """The classes of a vocabulary given by its name, or by the classes themselves."""
    return VOCABULARIES[vocabulary] if isinstance(vocabulary, str) else tuple(vocabulary)


def mapping(source: str | Sequence[str], target: str | Sequence[str]) -> np.ndarray:
    """Index in ``target`` of every class of ``source``, -1 where it has none; K int64.

    source, target: names of VOCABULARIES, or classes. The same word comes before a synonym.
    """
    words = classes_of(target)
    places = {canonical(word): i for i, word in reversed(list(enumerate(words)))}
    exact = {word: i for i, word in enumerate(words)}
    found = [exact.get(w, places.get(canonical(w), -1)) for w in classes_of(source)]
    return np.array(found, dtype=np.int64)


def relabelled(faces: FaceSet, classes: str | Sequence[str]) -> FaceSet:
    """The faces in the classes of another vocabulary, without those that have no counterpart.

    So a network can be tested on another data set than it was trained on. The labels become hard:
    soft targets and the loss that they need are left out.
    Raises OcckdError where one side is a number and the other a class, or no face is left.
    """
    wanted = classes_of(classes)
    if bool(wanted) != bool(faces.classes):
        raise OcckdError(f"{faces.name}, {faces.task}: classes and numbers cannot be compared")
    places = mapping(faces.classes, wanted)
    targets = torch.from_numpy(places)[faces.targets] if wanted else faces.targets
    kept = np.flatnonzero((targets >= 0).numpy()) if wanted else np.arange(len(faces))
    if not len(kept):
        raise OcckdError(f"{faces.name} has no face of the classes {', '.join(wanted)}")
    return replace(
        faces.select(kept),
        classes=wanted,
        vocabulary=classes if isinstance(classes, str) else OWN,
        targets=targets[torch.from_numpy(kept)],
        soft_targets=None,
        loss=None,
        sample_labels=False,
        published=(),
    )
