"""Faces that occur more than once: pixel for pixel, or encoded, cut or coloured anew.

A result on test faces that the network was trained on proves nothing; the sets of the web have
many. Two faces are near copies if their brightness on a grid of SIDE x SIDE cells correlates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from occkd_lib.data.faceset import ImageRows

SIDE = 20  # cells across and down: features are seen, compression and small shifts are not
# Looked at in FER+ and UTKFace, all of some 150 pairs above it are one photograph, many of those
# just below as well; the most alike of different people (UTKFace, which is aligned) reach 0.968.
THRESHOLD = 0.97
CHUNK = 512  # images that are compared with all others at a time
LEADING = 64  # principal components of the cells that find candidates
STEPS = 16  # of a grey value: cells are whole numbers below 2**12


def groups_of_copies(chunks: Iterable[np.ndarray]) -> pd.DataFrame:
    """``group`` (identical pixels) and ``near`` (near copies, or identical) of N images.

    chunks: the images in order, some at a time: B x C x H x W uint8. Both are N int64: groups are
    numbered 0, 1, ... in the order of their first member, -1 is an image that is like no other.
    A near copy of a near copy belongs to the group.
    """
    digests, cells = [], [torch.empty(0, SIDE**2, dtype=torch.float64)]
    for chunk in chunks:
        digests += [digest(image) for image in chunk]
        cells.append(cells_of(chunk))
    group = numbered(np.array(digests, dtype=object))
    near = linked(pairs_above(torch.cat(cells), THRESHOLD), len(group))
    return pd.DataFrame({"group": group, "near": together(group, near)})


def in_chunks(images: Tensor | ImageRows) -> Iterator[np.ndarray]:
    """All images in order, CHUNK at a time."""
    return (chunk.numpy() for chunk in images.split(CHUNK))


def find_duplicates(images: Iterable[np.ndarray] | Tensor | ImageRows) -> np.ndarray:
    """Groups of identical images (N x ..., uint8, one is read at a time): see above; N int64."""
    return numbered(np.array([digest(image) for image in images], dtype=object))


def digest(image: np.ndarray | Tensor) -> bytes:
    """A hash of the pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()


def cells_of(images: np.ndarray) -> Tensor:
    """Mean brightness of SIDE x SIDE cells: B x C x H x W uint8 -> B x SIDE² float64.

    Whole numbers in steps of 1/STEPS grey value; colour counts as ITU-R 601 luma. With fewer rows
    or columns than cells, some stand in several.
    """
    sums, count = images, np.ones(1)
    for length in images.shape[2:]:  # sum over the rows and put the cells last; then the columns
        low = np.arange(SIDE) * length // SIDE
        high = np.maximum(np.append(low[1:], length), low + 1)
        cells = [sums[:, :, i:j].sum(2, dtype=np.uint32) for i, j in zip(low, high, strict=True)]
        sums, count = np.stack(cells, -1), np.multiply.outer(count, high - low)
    luma = np.tensordot([299, 587, 114] if images.shape[1] == 3 else [1000], sums, (0, 1))
    return torch.from_numpy(np.round(luma * STEPS / (1000 * count[0]))).flatten(1)


def pairs_above(cells: Tensor, floor: float) -> pd.DataFrame:
    """Pairs of images whose cells correlate above ``floor``: first < second, correlation.

    cells: N x K whole numbers. Images of one brightness correlate with nothing. A chunked matrix
    product finds candidates by their LEADING principal components: what these leave of two unit
    vectors adds at most the product of its lengths (Cauchy-Schwarz). What decides are products of
    whole numbers that stay below 2**53 and are exact: the same pairs on every machine.
    """
    centred = cells * cells.shape[1] - cells.sum(1, keepdim=True)
    norms = centred.square().sum(1).sqrt().clamp_min(1)  # 0 for one brightness, else more than 1
    unit = centred / norms[:, None]
    leading = unit @ torch.linalg.eigh(unit.T @ unit).eigenvectors[:, -LEADING:]
    lengths = (part.square().sum(1, keepdim=True) for part in (unit, leading))
    rest = torch.sub(*lengths).clamp_min(0).sqrt()
    bound = torch.cat([leading, rest], 1).float()
    found = [torch.empty(3, 0, dtype=torch.float64)]
    for start in range(0, len(cells), CHUNK):
        highest = bound[start : start + CHUNK] @ bound[start:].T
        candidates = (highest > floor - 1e-4).nonzero() + start
        for first, second in (part.T for part in candidates.split(32 * CHUNK)):
            exact = (centred[first] * centred[second]).sum(1) / norms[first] / norms[second]
            found.append(torch.stack([first, second, exact])[:, (exact > floor) & (first < second)])
    table = pd.DataFrame(torch.cat(found, 1).T.numpy(), columns=["first", "second", "correlation"])
    return table.astype({"first": np.int64, "second": np.int64})


def linked(pairs: pd.DataFrame, n: int) -> np.ndarray:
    """Groups of N things of which the pairs (first, second) belong together: N int64."""
    if not n:
        return np.empty(0, np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (pairs["first"].to_numpy(), pairs["second"].to_numpy())
    links = coo_array((np.ones(len(pairs)), ends), shape=(n, n))
    return numbered(connected_components(links, directed=False)[1])


def together(*groupings: np.ndarray) -> np.ndarray:
    """Groups of things that belong together by any of the groupings (N int64, -1 = alone)."""
    pairs = []
    for groups in groupings:
        members = np.flatnonzero(groups >= 0)
        _, first, which = np.unique(groups[members], return_index=True, return_inverse=True)
        pairs.append(pd.DataFrame({"first": members[first][which], "second": members}))
    return linked(pd.concat(pairs), len(groupings[0]))


def numbered(codes: np.ndarray) -> np.ndarray:
    """Codes (N) -> groups: numbered by their first member, -1 for a code that occurs once."""
    codes = pd.factorize(codes)[0]
    repeated = np.bincount(codes, minlength=1) > 1
    number = np.where(repeated, np.cumsum(repeated) - 1, -1)
    return number[codes].astype(np.int64)


def repeats_of_train(groups: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """N bool: val and test images whose group also occurs in train."""
    train = splits == "train"
    return ~train & (groups >= 0) & np.isin(groups, groups[train])


def with_copies(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the two columns that say what is also in train, from its groups and splits."""
    splits = table["split"].to_numpy(dtype=str)
    return table.assign(
        duplicate_of_train=repeats_of_train(table["group"].to_numpy(), splits),
        near_copy_of_train=repeats_of_train(table["near"].to_numpy(), splits),
    )


def examples(
    images: Tensor | ImageRows, count: int = 6, *, around: float = THRESHOLD
) -> pd.DataFrame:
    """The ``count`` pairs below and above ``around`` that are nearest to it, by correlation.

    Columns first, second (positions of the two images) and correlation: what the threshold parts,
    to be looked at. Identical images are left out.
    """
    cells = torch.cat([cells_of(chunk) for chunk in in_chunks(images)])
    pairs = pairs_above(cells, around - 0.02)
    same = find_duplicates(images)
    alike = (same[pairs["first"]] == same[pairs["second"]]) & (same[pairs["first"]] >= 0)
    pairs = pairs[~alike].sort_values("correlation", ignore_index=True)
    cut = int((pairs["correlation"] <= around).sum())
    return pairs[max(cut - count, 0) : cut + count].reset_index(drop=True)
