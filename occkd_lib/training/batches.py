"""Paired batches: the same faces, full for the teacher and half hidden for the student."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models import InputSpec
from occkd_lib.randomness import stream
from occkd_lib.training.labels import labelled_faces
from occkd_lib.training.views import Views


@dataclass(frozen=True)
class Moves:
    """How far the faces of a batch are moved at random, each by itself; a mirror is not a move.

    shift: pixels, either way. scale: share of the size by which a face is made larger or smaller.
    tilt: degrees, either way.
    """

    shift: int = 0
    scale: float = 0.0
    tilt: float = 0.0

    def __bool__(self) -> bool:
        return self.shift > 0 or self.scale > 0 or self.tilt > 0

    def poses(self, n: int, draw: torch.Generator) -> Tensor | None:
        """n x 2, float32: factors, as many larger as smaller, and radians; None for none."""
        if not (self.scale or self.tilt):
            return None
        spans = torch.tensor([math.log1p(self.scale), math.radians(self.tilt)])
        pose = (2 * torch.rand(n, 2, generator=draw) - 1) * spans
        return torch.stack([pose[:, 0].exp(), pose[:, 1]], dim=1)


STILL = Moves()


@dataclass(frozen=True)
class Batch:
    """index, flipped: B. target: B. soft_target: B x K or None. offset, pose: B x 2 or None.

    ``inputs(visible)`` renders the batch's faces (or others, flipped and moved alike).
    labelled: where only some faces' labels may be used, as many of those; else None.
    """

    views: Views
    index: Tensor
    flipped: Tensor
    target: Tensor
    soft_target: Tensor | None
    offset: Tensor | None
    pose: Tensor | None = None
    labelled: Batch | None = None

    @property
    def known(self) -> Batch:
        """The faces whose labels may be used: mostly this batch's."""
        return self.labelled or self

    def inputs(
        self, visible: str, index: Tensor | None = None, *, views: Views | None = None
    ) -> Tensor:
        """Normalised B x C x S x S; teacher and student see the face moved alike.

        index: other faces, flipped and moved as this batch's are. views: of another network, whose
        input may have another size; see ``carried_over``.
        """
        index = self.index if index is None else index
        views, offset = views or self.views, self.offset
        if offset is not None and views.spec != self.views.spec:
            offset = carried_over(offset, self.views.spec, views.spec)
        return views.inputs(visible, index, self.flipped, offset, self.pose)


def carried_over(offset: Tensor, ours: InputSpec, theirs: InputSpec) -> Tensor | None:
    """Where another network's window or shift is, so that it sees the same part of the face.

    A network that sees whole faces keeps seeing them while ours sees windows (None).
    """
    if not ours.margin:
        return (offset * (theirs.size / ours.size)).round().long()
    if not theirs.margin:
        return None
    corner = (offset + ours.margin // 2) * (theirs.margin / ours.margin)
    return corner.round().long() - theirs.margin // 2


class Batches:
    """All faces once an epoch, in an order that depends on (seed, epoch) alone.

    So an epoch can be run again after a kill and is the same epoch, and methods that are compared
    meet the same faces, flipped and moved alike. label_share: of the faces whose labels may be
    used (``labels.labelled_faces``); every batch then brings a second one, of these alone.
    """

    def __init__(
        self,
        views: Views,
        *,
        batch_size: int,
        seed: int,
        flip: bool = True,
        moves: Moves = STILL,
        label_share: float | None = None,
    ) -> None:
        if moves.shift and views.spec.margin:
            raise OcckdError("shift and resize: both move the face; choose one of them")
        self.views, self.batch_size, self.seed = views, batch_size, seed
        self.flip, self.moves = flip, moves
        faces, device = views.faces, views.device
        self.targets = faces.targets.to(device)
        self.soft = None if faces.soft_targets is None else faces.soft_targets.to(device)
        self.sample_labels = faces.sample_labels
        self.labelled: Tensor | None = None  # indices
        if label_share is not None:
            self.labelled = labelled_faces(faces.targets, label_share, seed).to(device)

    def __len__(self) -> int:
        """Batches an epoch; a last batch of one face is left out (batch norm needs two)."""
        full, rest = divmod(len(self.views), self.batch_size)
        return full + (rest > 1)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number`` (from 0)."""
        n, device = len(self.views), self.views.device
        order = torch.randperm(n, generator=stream(self.seed, "order", number)).to(device)
        flips = torch.rand(n, generator=stream(self.seed, "flips", number)) < 0.5
        flipped = flips.to(device) & self.flip
        offset, shift, margin = None, self.moves.shift, self.views.spec.margin
        if shift or margin:
            span, draw = (-shift, shift + 1), stream(self.seed, "shifts", number)
            if margin:  # every window of the face is as likely
                span = -(margin // 2), margin - margin // 2 + 1
            offset = torch.randint(*span, (n, 2), generator=draw).to(device)
        pose = self.moves.poses(n, stream(self.seed, "poses", number))
        pose = None if pose is None else pose.to(device)
        targets, soft = self.targets, self.soft
        if self.sample_labels and soft is not None:  # one label per draw
            draw = stream(self.seed, "labels", number)
            targets = torch.multinomial(soft.cpu(), 1, generator=draw)[:, 0].to(device)
            soft = None

        def batch(rows: Tensor, labelled: Batch | None = None) -> Batch:
            return Batch(
                self.views,
                rows,
                flipped[rows],
                targets[rows],
                None if soft is None else soft[rows],
                None if offset is None else offset[rows],
                None if pose is None else pose[rows],
                labelled,
            )

        known = None if self.labelled is None else self._as_many(self.labelled, number)
        for step in range(len(self)):
            part = slice(step * self.batch_size, (step + 1) * self.batch_size)
            yield batch(order[part], None if known is None else batch(known[part]))

    def _as_many(self, labelled: Tensor, number: int) -> Tensor:
        """N of the labelled faces: all of them in random order, and again until N are there."""
        draw = stream(self.seed, "labelled order", number)
        rounds = -(-len(self.views) // len(labelled))
        orders = [torch.randperm(len(labelled), generator=draw) for _ in range(rounds)]
        return labelled[torch.cat(orders)[: len(self.views)].to(labelled.device)]
