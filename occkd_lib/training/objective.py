"""What ``fit`` minimises: a small module that turns (student, batch) into a loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from occkd_lib.losses.task import TaskLoss
from occkd_lib.models import FaceNet, Prediction
from occkd_lib.training.batches import Batch


class Objective(nn.Module):
    """The task loss on one view: all that a teacher, a student or a control learns from.

    A method with more to teach derives from it. Parameters and buffers of an objective are trained,
    checkpointed and resumed with the network.
    """

    def __init__(self, task_loss: TaskLoss, view: str) -> None:
        super().__init__()
        self.task_loss, self.view = task_loss, view
        self._said: Tensor | None = None

    def start_epoch(self, student: FaceNet, epoch: int) -> None:
        """Called before each epoch, with the weights of its beginning."""

    def task(self, seen: Prediction, batch: Batch) -> Tensor:
        """The loss against the ground truth; soft labels take the place of hard ones.

        seen: what the student says of the batch's faces, whose labels are all known.
        """
        target = batch.target if batch.soft_target is None else batch.soft_target
        self._said = self.task_loss(seen.output, seen.embedding, target)
        return self._said

    def parts(self, loss: Tensor) -> Tensor:
        """(2,): the task loss by itself in the step that gave ``loss``, and what is left of that
        without it, as weighted. Not a number twice where ``task`` was not asked.

        Call it before ``loss.backward()``: the task's weight is the loss's slope along it.
        """
        said, self._said = self._said, None
        weight = None
        if said is not None and said.requires_grad:
            [weight] = torch.autograd.grad(loss, said, retain_graph=True, allow_unused=True)
        if said is None or weight is None:
            return torch.full((2,), torch.nan, device=loss.device)
        return torch.stack([said.detach(), loss.detach() - weight * said.detach()]).float()

    def task_beside(self, student: FaceNet, seen: Prediction, batch: Batch) -> Tensor:
        """The task loss of the faces whose labels are known: ``seen``'s, or asked for anew."""
        if batch.labelled is None:
            return self.task(seen, batch)
        return self.task(student(batch.labelled.inputs(self.view)), batch.labelled)

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        known = batch.known
        return self.task(student(known.inputs(self.view)), known)
