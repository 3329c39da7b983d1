"""Whose labels may be learnt from: few of them, while a teacher speaks about every face."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.randomness import stream

BIN = 10  # years: ages are drawn decade by decade


def labelled_faces(targets: Tensor, share: float, seed: int) -> Tensor:
    """Sorted indices of the faces whose labels are known: ``share`` of every class.

    targets: N classes, or years. Drawn from (seed, share) alone, at least one face of every class
    (decade); the faces of a smaller share are among those of a larger one.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share}")
    groups = targets if not targets.is_floating_point() else targets.div(BIN).floor()
    order = torch.randperm(len(targets), generator=stream(seed, "whose labels", 0))
    groups = groups.cpu()[order]
    known = []
    for group in groups.unique():
        members = order[groups == group]
        known.append(members[: max(1, round(share * len(members)))])
    return torch.cat(known).sort().values
