"""Run a network over a whole FaceSet, without gradients."""

from __future__ import annotations

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
    """Embeddings N x D and outputs N x K (float32, on the device), in eval mode."""
    was_training = model.training
    model.eval()
    embeddings: list[Tensor] = []
    outputs: list[Tensor] = []
    for index in torch.arange(len(views), device=views.device).split(BATCH):
        flips = torch.full_like(index, flipped, dtype=torch.bool)
        with compute.autocast():
            prediction = model(views.inputs(visible, index, flips))
        embeddings.append(prediction.embedding.float())
        outputs.append(prediction.output.float())
    model.train(was_training)
    return Prediction(torch.cat(embeddings), torch.cat(outputs))


class FrozenTeacher:
    """A teacher that runs once: what it says of every face, in both orientations.

    Exact, because its inputs are finitely many and it is in eval mode. With random shifts they
    are not (``live``), and ``of`` runs the teacher on the batch at hand instead. views: the
    training faces as *its* input wants them; view: what it sees of them.
    """

    def __init__(
        self, teacher: FaceNet, views: Views, view: str, *, compute: Compute, live: bool
    ) -> None:
        self.teacher, self.compute, self.live = teacher.eval().requires_grad_(False), compute, live
        self.views, self.view = views, view
        plain = predict(teacher, views, view, compute=compute)
        mirrored = predict(teacher, views, view, compute=compute, flipped=True)
        self.embedding = torch.stack([plain.embedding, mirrored.embedding])  # 2 x N x D
        self.output = torch.stack([plain.output, mirrored.output])  # 2 x N x K

    @torch.no_grad()
    def of(self, batch: Batch) -> Prediction:
        """The teacher's answer to the batch's faces, flipped and shifted as the student's are."""
        if self.live:
            inputs = batch.inputs(self.view, views=self.views)
            with self.compute.autocast():
                prediction = self.teacher(inputs)
            return Prediction(prediction.embedding.float(), prediction.output.float())
        side = batch.flipped.long()
        return Prediction(self.embedding[side, batch.index], self.output[side, batch.index])
