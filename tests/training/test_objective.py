"""What a teacher, student or control learns from: its own view, and soft labels where there are."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.models import NetworkSettings
from occkd_lib.training.batches import Batches
from occkd_lib.training.objective import Objective
from occkd_lib.training.views import Views


def test_soft_labels_take_the_place_of_hard_ones(faces):
    network = NetworkSettings(name="compact", width=4, input_size=32).build(2).eval()
    objective = Objective(LossChoice(name="cross_entropy").build(Facts(2, 32)), "lower")
    soft = torch.rand(30, 2, generator=torch.Generator().manual_seed(0))
    soft = soft / soft.sum(1, keepdim=True)
    for labels in (None, soft):
        views = Views(replace(faces, soft_targets=labels), network.input_spec, torch.device("cpu"))
        batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
        output = network(batch.inputs("lower")).output
        target = batch.target if labels is None else soft[batch.index]
        torch.testing.assert_close(objective(network, batch), F.cross_entropy(output, target))


class Blended(Objective):
    """0.3 of the task loss, and a term of another kind."""

    def forward(self, student, batch):
        seen = student(batch.inputs(self.view))
        return 0.3 * self.task(seen, batch) + 0.7 * seen.embedding.square().mean()


class Speechless(Objective):
    """Never asks for the task loss."""

    def forward(self, student, batch):
        return student(batch.inputs(self.view)).embedding.square().mean()


def test_the_parts_of_a_loss_and_gradients_that_do_not_mind(faces):
    network = NetworkSettings(name="compact", width=4, input_size=32).build(2).eval()
    views = Views(faces, network.input_spec, torch.device("cpu"))
    batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
    task_loss = LossChoice(name="cross_entropy").build(Facts(2, 32))
    said = network(batch.inputs("lower"))
    task, term = F.cross_entropy(said.output, batch.target), said.embedding.square().mean()
    for kind, weight, share in ((Objective, 0, 1), (Blended, 0.7, 0.3)):
        objective = kind(task_loss, "lower")
        slopes = []
        for asked in (False, True):
            network.zero_grad()
            loss = objective(network, batch)
            if asked:
                expected = torch.stack([task, weight * term])
                torch.testing.assert_close(objective.parts(loss), expected)
                torch.testing.assert_close(loss, share * task + weight * term)
            loss.backward()
            slopes.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
        assert all(map(torch.equal, *slopes)), "what is noted changes nothing"
    speechless = Speechless(task_loss, "lower")
    assert speechless.parts(speechless(network, batch)).isnan().all()
    objective(network, batch)  # of another step
    objective.parts(objective(network, batch))
    assert objective.parts(torch.zeros(())).isnan().all(), "each step speaks for itself"
