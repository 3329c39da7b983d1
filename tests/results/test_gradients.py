"""Gradients of a loss's terms, against a network small enough to differentiate by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from occkd_lib.errors import OcckdError
from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.models import FaceNet, InputSpec
from occkd_lib.results.gradients import gradient_norms
from occkd_lib.training.batches import Batches
from occkd_lib.training.views import Views


class Linear(FaceNet):
    """Pixels -> two features -> two outputs; batch norm tells training from testing."""

    name = "linear"
    input_spec = InputSpec(size=20, channels=1, mean=(128.0,), std=(64.0,))
    embedding_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scaled = nn.Linear(400, 2), nn.BatchNorm1d(2)
        self.add_head(2)

    def features(self, x):
        return self.scaled(self.layer(x.flatten(1)))


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Linear().eval()


def test_both_norms_are_what_backward_gives(net, faces):
    choice = LossChoice(name="adareg", weight=0.5, task_weight=5)
    found = gradient_norms(net, choice, faces, batch_size=10, seed=3, batches=1)
    batch = next(
        Batches(Views(faces, net.input_spec, torch.device("cpu")), batch_size=10, seed=3).epoch(0)
    )
    before = {k: v.clone() for k, v in net.state_dict().items()}
    for column, share in (
        ("cross-entropy", {"weight": 0.0, "task_weight": 5}),
        ("term", {"weight": 0.5, "task_weight": 0.0}),
    ):
        torch.manual_seed(3)  # the same centres
        loss = LossChoice(name="adareg", **share).build(Facts(2, 2, (15, 15), faces.classes))
        net.train().zero_grad()
        seen = net(batch.inputs("full"))
        loss(seen.output, seen.embedding, batch.target).backward()
        reached = [net.layer.weight, net.layer.bias, net.scaled.weight, net.scaled.bias]
        by_hand = torch.cat([p.grad.flatten() for p in reached]).norm()
        assert found[column][0] == pytest.approx(float(by_hand), rel=1e-5)
        net.load_state_dict(before)
    assert found["ratio"][0] == pytest.approx(found["term"][0] / found["cross-entropy"][0])


def test_the_network_stays_as_it_was_and_the_answer_too(net, faces):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    choice = LossChoice(name="reg")
    twice = [
        gradient_norms(net, choice, faces, batch_size=10, seed=0, settle=1, batches=9)
        for _ in range(2)
    ]
    assert twice[0].equals(twice[1]) and len(twice[0]) == 2, "three batches, one to settle"
    assert not net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_representations_that_are_only_kept_teach_nothing(net, faces):
    choice = LossChoice(name="adareg", moved=False)
    found = gradient_norms(net, choice, faces, batch_size=10, seed=0)
    assert (found["term"] == 0).all() and (found["cross-entropy"] > 0).all()


def test_soft_labels_count_for_the_cross_entropy(net, faces):
    hard = gradient_norms(net, LossChoice(name="center"), faces, batch_size=10, seed=0)
    even = replace(faces, soft_targets=torch.full((30, 2), 0.5))
    soft = gradient_norms(net, LossChoice(name="center"), even, batch_size=10, seed=0)
    assert soft["term"].tolist() == hard["term"].tolist()
    assert (soft["cross-entropy"] != hard["cross-entropy"]).all()


def test_a_loss_without_representations_has_no_term(net, faces):
    with pytest.raises(OcckdError, match="'focal' has no term on category representations"):
        gradient_norms(net, LossChoice(name="focal"), faces, batch_size=10, seed=0)


def test_the_representations_move_from_batch_to_batch(net, faces):
    choice = LossChoice(name="adareg", weight=1.0, task_weight=1.0)
    found = gradient_norms(net, choice, faces, batch_size=10, seed=3, batches=2)
    choice = LossChoice(name="adareg", weight=1.0, task_weight=0.0)
    looks = Views(faces, net.input_spec, torch.device("cpu"))
    first, second, *_ = Batches(looks, batch_size=10, seed=3).epoch(0)
    torch.manual_seed(3)
    loss = choice.build(Facts(2, 2, (15, 15), faces.classes))
    net.train()
    for batch in (first, second):
        net.zero_grad()
        seen = net(batch.inputs("full"))
        loss(seen.output, seen.embedding, batch.target).backward()
    reached = [net.layer.weight, net.layer.bias, net.scaled.weight, net.scaled.bias]
    by_hand = torch.cat([p.grad.flatten() for p in reached]).norm()
    assert found["term"][1] == pytest.approx(float(by_hand), rel=1e-4)
