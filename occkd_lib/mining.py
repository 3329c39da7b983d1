"""Offline mining of triplets, once an epoch: the journal's Eq. 6 and 7.

For every anchor (a half-visible face, embedded by the student):

* the positive is the *farthest* member of S_pos: full faces of the same class, embedded by the
  teacher;
* the negative is the *nearest* member of S_neg: half-visible faces of another class, embedded by
  the student.

The paper draws the subsets anchor by anchor; here they are drawn once an epoch, stratified so that
every class has a member, and shared by all anchors, which turns mining into a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CANDIDATES = 8  # the best by matrix product, ranked by the distance itself when in doubt
ROUNDING = 3e-5  # several times the error of a float32 product over 4096 terms, relative
CHUNK = 2048  # anchors at a time: bounds the memory at CHUNK x pool


Miner = Callable[..., "Triplets"]  # with the parameters of mine_hard_triplets


class Triplets(NamedTuple):
    """positive, negative: N, indices of faces, one per anchor. *_pool: sorted indices drawn."""

    positive: Tensor
    negative: Tensor
    positive_pool: Tensor
    negative_pool: Tensor


def mine_hard_triplets(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    *,
    fraction: float,
    max_target_gap: float | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """The hardest positive and negative of every face (journal, Eq. 6-7).

    student_embeddings, teacher_embeddings: N x D, of the half-visible and of the full faces.
    targets: N; class indices, or ages when max_target_gap is given. fraction: share of every
    class that goes into each pool (at least one face). max_target_gap: two faces are positives
    of each other when their ages differ by less than this (the paper: 5 years).
    generator: draws the pools (CPU generator; default: torch's global one).

    Returns int64 tensors on the embeddings' device. Equal distances: the first index wins.
    Raises ValueError when shapes disagree or some face has no possible negative.
    """
    positive_pool, negative_pool = draw_pools(
        student_embeddings, teacher_embeddings, targets, fraction, max_target_gap, generator
    )
    positive = torch.empty(len(targets), dtype=torch.int64, device=student_embeddings.device)
    negative = torch.empty_like(positive)
    # Sorted by target, a chunk of anchors shares most of its candidates: classes become
    # blocks, ages a band, and the product skips the rest.
    for anchors in targets.argsort(stable=True).split(CHUNK):
        same = same_class(targets[anchors], targets[positive_pool], max_target_gap)
        positive[anchors] = hardest(
            student_embeddings, anchors, teacher_embeddings, positive_pool, same, farthest=True
        )
        other = ~same_class(targets[anchors], targets[negative_pool], max_target_gap)
        negative[anchors] = hardest(
            student_embeddings, anchors, student_embeddings, negative_pool, other, farthest=False
        )
    return Triplets(positive, negative, positive_pool, negative_pool)


def mine_random_triplets(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    *,
    fraction: float,
    max_target_gap: float | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """Any positive and any negative from the same pools: the control for hard mining."""
    positive_pool, negative_pool = draw_pools(
        student_embeddings, teacher_embeddings, targets, fraction, max_target_gap, generator
    )
    positive = torch.empty(len(targets), dtype=torch.int64, device=targets.device)
    negative = torch.empty_like(positive)
    for anchors in torch.arange(len(targets), device=targets.device).split(CHUNK):
        same = same_class(targets[anchors], targets[positive_pool], max_target_gap)
        other = ~same_class(targets[anchors], targets[negative_pool], max_target_gap)
        for valid, pool, out in ((same, positive_pool, positive), (other, negative_pool, negative)):
            pick = torch.multinomial(valid.float().cpu(), 1, generator=generator)[:, 0]
            out[anchors] = pool[pick.to(pool.device)]
    return Triplets(positive, negative, positive_pool, negative_pool)


def mine_own_triplets(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    *,
    fraction: float,
    max_target_gap: float | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """The positive of a face is the same face, seen in full; negatives as in Eq. 7.

    Not in the papers, whose positive is the farthest face of the class: of another person.
    """
    found = mine_hard_triplets(
        student_embeddings, teacher_embeddings, targets, fraction=fraction,
        max_target_gap=max_target_gap, generator=generator,
    )  # fmt: skip
    itself = torch.arange(len(targets), device=found.negative.device)
    return found._replace(positive=itself, positive_pool=itself)


def mine_semi_hard_triplets(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    *,
    fraction: float,
    max_target_gap: float | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """The negative is the nearest one that is farther than the face's own full view.

    After FaceNet (Schroff et al., CVPR 2015, Sect. 3.2), which takes the hardest negatives for the
    cause of collapse; where none is farther, the farthest of all. The positive is the same face.
    """
    _, negative_pool = draw_pools(
        student_embeddings, teacher_embeddings, targets, fraction, max_target_gap, generator
    )
    itself = torch.arange(len(targets), device=student_embeddings.device)
    negative = torch.empty_like(itself)
    reach = (student_embeddings - teacher_embeddings).float().norm(dim=1)
    pool = student_embeddings[negative_pool].float()
    for anchors in itself.split(CHUNK):
        distance = torch.cdist(student_embeddings[anchors].float(), pool)
        same = same_class(targets[anchors], targets[negative_pool], max_target_gap)
        farther = (distance > reach[anchors, None]) & ~same
        nearest = distance.masked_fill(~farther, float("inf")).argmin(1)
        farthest = distance.masked_fill(same, float("-inf")).argmax(1)
        negative[anchors] = negative_pool[torch.where(farther.any(1), nearest, farthest)]
    return Triplets(itself, negative, itself, negative_pool)


# what ``mining:`` of a triplet stage can be
MINERS: dict[str, Miner] = {
    "hard": mine_hard_triplets,
    "random": mine_random_triplets,
    "own": mine_own_triplets,
    "semi_hard": mine_semi_hard_triplets,
}


def same_class(a: Tensor, b: Tensor, max_target_gap: float | None) -> Tensor:
    """A x B bool: same label, or ages less than ``max_target_gap`` apart."""
    if max_target_gap is None:
        return a[:, None] == b[None]
    return (a[:, None] - b[None]).abs() < max_target_gap


def draw_pools(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    fraction: float,
    max_target_gap: float | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """S_pos and S_neg: sorted indices; every anchor has a positive and a negative among them."""
    if student_embeddings.shape != teacher_embeddings.shape or student_embeddings.ndim != 2:
        raise ValueError(
            f"student {tuple(student_embeddings.shape)} and teacher "
            f"{tuple(teacher_embeddings.shape)} embeddings must be N x D matrices alike"
        )
    if targets.shape != student_embeddings.shape[:1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not match the embeddings' rows")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie in (0, 1], not {fraction}")
    low, high = targets.argmin(), targets.argmax()
    extremes = torch.stack([low, high])
    if not (~same_class(targets[extremes], targets[extremes], max_target_gap)).any(0).all():
        raise ValueError("all targets belong together: there are no negatives to mine")
    if max_target_gap is None:
        stratum = targets
    else:  # ages in one bin of this width are less than the gap apart
        stratum = torch.div(targets, max_target_gap, rounding_mode="floor")
        # A face that has any negative has one among the youngest and the oldest.
        reached = ~same_class(targets, targets[extremes], max_target_gap)
        if not reached.any(1).all():
            face = int((~reached.any(1)).nonzero()[0, 0])
            raise ValueError(f"face {face} (age {float(targets[face])}) has no possible negative")
    positive_pool = draw_stratified(stratum, fraction, generator)
    negative_pool = draw_stratified(stratum, fraction, generator)
    if max_target_gap is not None:
        negative_pool = torch.cat([negative_pool, extremes]).unique()
    return positive_pool, negative_pool


def draw_stratified(stratum: Tensor, fraction: float, generator: torch.Generator | None) -> Tensor:
    """Sorted indices of about ``fraction`` of every stratum, at least one of each."""
    shuffled = torch.randperm(len(stratum), generator=generator).to(stratum.device)
    drawn = []
    for value in stratum.unique():
        members = shuffled[stratum[shuffled] == value]
        drawn.append(members[: max(1, round(fraction * len(members)))])
    return torch.cat(drawn).sort().values


def hardest(
    anchor_embeddings: Tensor,
    anchors: Tensor,
    pool_embeddings: Tensor,
    pool: Tensor,
    valid: Tensor,
    *,
    farthest: bool,
) -> Tensor:
    """Index of the farthest (nearest) valid pool member of each anchor.

    ||a - p||^2 = ||a||^2 + ||p||^2 - 2 a.p, and ||a||^2 does not matter for the order: one matrix
    product does it. Where the best few are too close to tell (pixel-identical faces, say), they
    are ranked by the distance itself, so that rounding cannot change the answer.
    valid: A x P bool, with at least one True in each row.
    """
    useful = valid.any(0).nonzero()[:, 0]
    pool, valid = pool[useful], valid[:, useful]
    a, p = anchor_embeddings[anchors].float(), pool_embeddings[pool].float()
    length = p.square().sum(1)
    score = torch.addmm(length, a, p.T, alpha=-2)
    worst = float("-inf") if farthest else float("inf")
    score.masked_fill_(~valid, worst)
    top = score.topk(min(CANDIDATES, len(pool)), largest=farthest)
    pick = top.indices[:, 0].clone()
    if len(pool) > 1:
        doubt = ROUNDING * (a.square().sum(1) + length.max())
        close = ((top.values[:, 0] - top.values[:, 1]).abs() <= doubt).nonzero()[:, 0]
        few = top.indices[close].sort(1).values
        distance = torch.stack([(a[close] - p[c]).square().sum(1) for c in few.unbind(1)], 1)
        distance.masked_fill_(~valid[close].gather(1, few), worst)
        best = distance.argmax(1) if farthest else distance.argmin(1)
        pick[close] = few.gather(1, best[:, None])[:, 0]
    return pool[pick]
