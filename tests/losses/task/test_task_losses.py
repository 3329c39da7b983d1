"""Task losses against values worked out by hand, and how a recipe chooses one."""

import math

import pytest
import torch
from pydantic import BaseModel, ValidationError
from torch import nn

from occkd_lib.losses.task import (
    TASK_LOSSES,
    Facts,
    FunctionLoss,
    LossChoice,
    TaskLoss,
)
from occkd_lib.losses.task.absolute_error import absolute_error
from occkd_lib.losses.task.cross_entropy import binary_cross_entropy, cross_entropy
from occkd_lib.losses.task.multi_target import multi_target_loss

FACTS = Facts(3, 4, (5, 5, 5))


def test_cross_entropy_by_hand():
    output = torch.tensor([[0.0, 0.0, math.log(2.0)]])  # softmax: 1/4, 1/4, 1/2
    assert cross_entropy(output, torch.tensor([2])).item() == pytest.approx(math.log(2))
    soft = torch.tensor([[0.5, 0.0, 0.5]])
    expected = 0.5 * math.log(4) + 0.5 * math.log(2)
    assert cross_entropy(output, soft).item() == pytest.approx(expected)
    assert cross_entropy(output.bfloat16(), torch.tensor([2])).dtype == torch.float32


def test_binary_cross_entropy_by_hand():
    output = torch.tensor([[math.log(3.0)], [math.log(3.0)]])  # sigmoid: 3/4
    found = binary_cross_entropy(output, torch.tensor([1, 0])).item()
    assert found == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_absolute_error_by_hand():
    found = absolute_error(torch.tensor([[30.0], [10.0]]), torch.tensor([33.0, 15.0]))
    assert found.item() == 4.0


def test_multi_target_takes_the_best_accepted_class():
    output = torch.tensor([[0.0, 0.0, math.log(2.0)], [0.0, 0.0, math.log(2.0)]])
    accepted = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    expected = (math.log(2) + math.log(4)) / 2
    assert multi_target_loss(output, accepted).item() == pytest.approx(expected)
    nothing = multi_target_loss(torch.tensor([[0.0, 500.0]]), torch.tensor([[1.0, 0.0]]))
    assert nothing.isfinite()


class Stage(BaseModel):
    loss: LossChoice


def test_a_loss_by_name_or_with_parameters(monkeypatch):
    def scaled(output, target, *, factor: float = 2.0):
        return factor * cross_entropy(output, target)

    monkeypatch.setitem(TASK_LOSSES, "scaled", scaled)
    output, target = torch.zeros(2, 3), torch.tensor([0, 1])
    for raw, factor in (("scaled", 2.0), ({"name": "scaled", "factor": 3}, 3.0)):
        loss = Stage(loss=raw).loss.build(FACTS)
        assert loss(output, torch.zeros(2, 4), target).item() == pytest.approx(factor * math.log(3))
    assert Stage(loss={"name": "scaled", "factor": 3}).loss.model_dump() == {
        "name": "scaled", "factor": 3,
    }  # fmt: skip
    for raw, message in (
        ({"name": "scaled", "gamma": 1}, "has no parameter 'gamma'; it has: factor"),
        ({"name": "scaled", "facter": 1}, "no parameter 'facter': did you mean 'factor'"),
        ({"name": "scaled", "factor": "much"}, "factor: Input should be a valid number"),
    ):
        with pytest.raises(ValidationError, match=message):
            Stage(loss=raw)


def test_a_loss_with_parameters_that_learn(monkeypatch):
    class Centres(TaskLoss):
        def __init__(self, facts, *, weight: float = 0.5):
            super().__init__()
            self.centres = nn.Parameter(torch.zeros(facts.outputs, facts.embedding_dim))
            self.weight = weight

        def forward(self, output, embedding, target):
            return self.weight * (embedding - self.centres[target]).square().sum(1).mean()

    monkeypatch.setitem(TASK_LOSSES, "centres", Centres)
    loss = LossChoice(name="centres", weight=0.25).build(FACTS)
    assert loss.centres.shape == (3, 4)
    assert loss(torch.zeros(2, 3), torch.ones(2, 4), torch.tensor([0, 1])).item() == 1.0
    assert len(list(loss.parameters())) == 1
    assert not list(FunctionLoss(cross_entropy, {}).parameters())


def test_an_unknown_loss():
    with pytest.raises(Exception, match="no loss 'cross_entropi': did you mean 'cross_entropy'"):
        LossChoice(name="cross_entropi")
