"""Which occluder a face gets: random numbers that depend on the face and a name, on nothing else.

A generator would give the next face the next number, so a face's occluder would depend on its
batch. Here the number is computed from the face itself (a counter-based generator: the finaliser of
SplitMix64, G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014), in whole numbers, and is therefore the same in any order, on any device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from occkd_lib.randomness import derived_seed


def face_keys(ids: Iterable[str]) -> Tensor:
    """N int64: what tells faces apart, of their names. ids: ``FaceSet.ids``.

    So a face keeps its occluder in whatever part of the data it is looked at, and faces of train,
    validation and test, which have other names, have others.
    """
    hashes = (hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in ids)
    return torch.tensor([int.from_bytes(h, "big", signed=True) for h in hashes], dtype=torch.int64)


def signed(number: int) -> int:
    """An unsigned 64-bit number as torch holds it."""
    return number - (1 << 64) if number >= 1 << 63 else number


GAMMA, FIRST, SECOND = map(signed, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def shifted(x: Tensor, bits: int) -> Tensor:
    """x >> bits with zeros coming in; torch repeats the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def uniform(faces: Tensor, name: str) -> Tensor:
    """N float32 in 0 <= u < 1 from the stream ``name``. faces: N int64, ``face_keys``."""
    x = faces + signed((derived_seed(0, f"occluder {name}") + GAMMA) % (1 << 64))
    x = (x ^ shifted(x, 30)) * FIRST
    x = (x ^ shifted(x, 27)) * SECOND
    return shifted(x ^ shifted(x, 31), 40).float() * 2.0**-24


def between(faces: Tensor, name: str, low: float, high: float) -> Tensor:
    """N x 1 x 1 x 1 float32, uniform between low and high: ready to meet N x C x H x W."""
    return (low + (high - low) * uniform(faces, name)).view(-1, 1, 1, 1)


def pick(faces: Tensor, name: str, weights: Sequence[float]) -> Tensor:
    """N int64, one of 0 ... K-1, as often as its weight says."""
    ends = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    ends = (ends / ends[-1]).float().to(faces.device)
    return (uniform(faces, name)[:, None] >= ends[:-1]).sum(1)
