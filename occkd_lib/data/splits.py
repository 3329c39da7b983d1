"""Seeded choices among faces that depend on names alone: no generator, version or machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from occkd_lib.data.faceset import SPLITS


def shuffled(names: Sequence[str] | np.ndarray, seed: int) -> np.ndarray:
    """Positions of the N names, ordered by a hash of seed and name; N int64."""
    keys = [hashlib.sha256(f"{seed}|{name}".encode()).digest() for name in names]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def at_most(names: np.ndarray, classes: np.ndarray, most: int, seed: int) -> np.ndarray:
    """N bool: ``most`` faces of every class (N int64), or all that it has."""
    order = shuffled(names, seed)
    kept = np.zeros(len(names), dtype=bool)
    for label in np.unique(classes):
        kept[order[classes[order] == label][:most]] = True
    return kept


def units_of(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a split must not part: N groups (-1 = alone) -> (unit of each face, N; first face and
    number of faces of each unit)."""
    n = len(groups)
    units, _ = pd.factorize(np.where(groups >= 0, groups, n + np.arange(n)))
    _, first, sizes = np.unique(units, return_index=True, return_counts=True)
    return units, first, sizes


def three_ways(names: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """A 60/20/20 split: N of "train", "val", "test"; members of a group (-1 = alone) stay together.

    Groups are ordered by a hash of seed and first name. Sizes are exact to within one group.
    """
    n = len(names)
    units, first, sizes = units_of(groups)
    order = shuffled(names[first], seed)
    before = np.empty(len(first))
    before[order] = np.cumsum(sizes[order]) - sizes[order]
    part = np.searchsorted([0.6 * n, 0.8 * n], before, side="right")
    return np.array(SPLITS)[part[units]]


def hold_out(
    names: np.ndarray, classes: np.ndarray, groups: np.ndarray, share: float, seed: int
) -> np.ndarray:
    """N bool: ``share`` of every class, rounded; members of a group (-1 = alone) stay together.

    A group counts for the class of its first member; sizes are exact to within one group.
    """
    units, first, sizes = units_of(groups)
    order = shuffled(names[first], seed)
    held = np.zeros(len(first), dtype=bool)
    for label in np.unique(classes):
        mine = order[classes[first[order]] == label]
        before = np.cumsum(sizes[mine]) - sizes[mine]
        held[mine[before < round(share * sizes[mine].sum())]] = True
    return held[units]
