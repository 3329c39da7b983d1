"""Paired batches: the same faces, full for the teacher and half hidden for the student."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from occkd_lib.randomness import stream
from occkd_lib.training.views import Views


@dataclass(frozen=True)
class Batch:
    """index, flipped: B. target: B. soft_target: B x K or None. offset: B x 2 or None.

    ``inputs(visible)`` renders the batch's faces (or others, with the same flips and shifts).
    """

    views: Views
    index: Tensor
    flipped: Tensor
    target: Tensor
    soft_target: Tensor | None
    offset: Tensor | None

    def inputs(
        self, visible: str, index: Tensor | None = None, *, views: Views | None = None
    ) -> Tensor:
        """Normalised B x C x S x S; teacher and student see the same flip and shift.

        index: other faces, with this batch's flips and shifts. views: of another network, whose
        input may have another size; the shift is then as large a part of it.
        """
        index = self.index if index is None else index
        views, offset = views or self.views, self.offset
        if offset is not None and views.spec.size != self.views.spec.size:
            offset = (offset * (views.spec.size / self.views.spec.size)).round().long()
        return views.inputs(visible, index, self.flipped, offset)


class Batches:
    """All faces once an epoch, in an order that depends on (seed, epoch) alone.

    So an epoch can be run again after a kill and is the same epoch, and methods that are compared
    meet the same faces, flipped and shifted alike.
    """

    def __init__(
        self, views: Views, *, batch_size: int, seed: int, flip: bool = True, shift: int = 0
    ) -> None:
        self.views, self.batch_size, self.seed = views, batch_size, seed
        self.flip, self.shift = flip, shift
        faces, device = views.faces, views.device
        self.targets = faces.targets.to(device)
        self.soft = None if faces.soft_targets is None else faces.soft_targets.to(device)
        self.sample_labels = faces.sample_labels

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
        offset = None
        if self.shift:
            span, draw = (-self.shift, self.shift + 1), stream(self.seed, "shifts", number)
            offset = torch.randint(*span, (n, 2), generator=draw).to(device)
        targets, soft = self.targets, self.soft
        if self.sample_labels and soft is not None:  # one label per draw
            draw = stream(self.seed, "labels", number)
            targets = torch.multinomial(soft.cpu(), 1, generator=draw)[:, 0].to(device)
            soft = None
        for step in range(len(self)):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield Batch(
                self.views,
                rows,
                flipped[rows],
                targets[rows],
                None if soft is None else soft[rows],
                None if offset is None else offset[rows],
            )
