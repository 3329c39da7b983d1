"""Named streams of random numbers: who draws from which, and nobody from another's.

Every consumer has a stream of its own, told apart by a name; an epoch begins its own part of it, so
that an epoch can be run again after a kill and is the same epoch. Methods that are compared share
the streams that are not theirs (order of faces, flips, shifts, dropout), so that they differ in the
method alone: common random numbers.
"""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, name: str, epoch: int = 0) -> int:
    """A seed for the stream ``name`` of an experiment's ``seed``; others for other epochs."""
    digest = hashlib.sha256(f"{seed}|{name}|{epoch}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def stream(seed: int, name: str, epoch: int = 0) -> torch.Generator:
    """A CPU generator at the beginning of the stream ``name``."""
    return torch.Generator().manual_seed(derived_seed(seed, name, epoch))
