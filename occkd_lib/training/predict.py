"""Run a network over a whole FaceSet, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from occkd_lib.models import FaceNet, Prediction
from occkd_lib.training.batches import Batch
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

BATCH = 512


@torch.no_grad()
def predict(
    model: FaceNet, views: Views, visible: str, *, compute: Compute, flipped: bool = False
) -> Prediction:
    """Embeddings N x D, outputs N x K, and coarse outputs if it has any; float32, on the device.

    In eval mode; of windows of a face (InputSpec.resize) those of testing.
    """
    was_training = model.training
    model.eval()
    parts: list[Prediction] = []
    for index in torch.arange(len(views), device=views.device).split(BATCH):
        flips = torch.full_like(index, flipped, dtype=torch.bool)
        with compute.autocast():
            prediction = model(views.inputs(visible, index, flips))
        parts.append(prediction.each(Tensor.float))
    model.train(was_training)
    return together(parts, torch.cat)


def together(
    parts: Sequence[Prediction], join: Callable[[tuple[Tensor, ...]], Tensor]
) -> Prediction:
    """Several answers of one network as one."""
    embedding, output, coarse = zip(*parts, strict=True)
    return Prediction(join(embedding), join(output), None if coarse[0] is None else join(coarse))


class FrozenTeacher:
    """A teacher that runs once: what it says of every face, in both orientations.

    Exact, because its inputs are finitely many and it is in eval mode. With random moves or
    windows they are not (``live``), and ``of`` runs the teacher on the batch at hand instead.
    views: the training faces as *its* input wants them; view: what it sees of them.
    """

    def __init__(
        self, teacher: FaceNet, views: Views, view: str, *, compute: Compute, live: bool
    ) -> None:
        self.teacher, self.compute, self.live = teacher.eval().requires_grad_(False), compute, live
        self.views, self.view = views, view

    @cached_property
    def both(self) -> Prediction:
        """Of every training face, plain and mirrored: 2 x N x D, 2 x N x K, 2 x N x 4 or None."""
        sides = [
            predict(self.teacher, self.views, self.view, compute=self.compute, flipped=flipped)
            for flipped in (False, True)
        ]
        return together(sides, torch.stack)

    @property
    def embedding(self) -> Tensor:
        """2 x N x D."""
        return self.both.embedding

    @property
    def output(self) -> Tensor:
        """2 x N x K."""
        return self.both.output

    @torch.no_grad()
    def of(self, batch: Batch) -> Prediction:
        """The teacher's answer to the batch's faces, flipped and moved as the student's are."""
        if self.live:
            inputs = batch.inputs(self.view, views=self.views)
            with self.compute.autocast():
                return self.teacher(inputs).each(Tensor.float)
        at = batch.flipped.long(), batch.index
        return self.both.each(lambda part: part[at])
