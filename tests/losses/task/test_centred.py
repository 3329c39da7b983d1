"""Losses with centres: how these move, what is learnt from them, what a checkpoint keeps."""

import pytest
import torch
import torch.nn.functional as F

from occkd_lib.losses import adareg_loss, importance_coefficients, reg_loss
from occkd_lib.losses.regularisers.center import moved_centers
from occkd_lib.losses.task import TASK_LOSSES, Facts, LossChoice

FACTS = Facts(3, 2, (9, 3, 1), ("neutral", "happiness", "fear"))
NAMES = ("center", "island", "uniform", "reg", "adareg")
OUTPUT, TARGET = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 1])


def test_centres_move_by_hand():
    """Class 0 has one face at (4, 0): half of the way, halved again by 1 + n."""
    old = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    x = torch.tensor([[4.0, 0.0]], requires_grad=True)
    new = moved_centers(old, x, torch.tensor([0]), rate=0.5)
    assert new.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    new.sum().backward()
    assert x.grad.tolist() == [[0.25, 0.25]]


@pytest.mark.parametrize("name", NAMES)
def test_the_network_learns_from_the_centres_and_they_are_kept(name):
    torch.manual_seed(0)
    loss = LossChoice(name=name).build(FACTS)
    before = loss.centers.clone()
    x = torch.randn(2, 2, requires_grad=True)
    loss(OUTPUT, x, TARGET).backward()
    assert x.grad.abs().sum() > 0 and not loss.centers.requires_grad
    assert not torch.equal(loss.centers, before), "a batch moves them"
    assert "centers" in loss.state_dict(), "and a checkpoint keeps them"
    loss.eval()
    kept = loss.centers.clone()
    loss(OUTPUT, x.detach(), TARGET)
    assert torch.equal(loss.centers, kept), "validation does not move them"


def test_adareg_puts_neutral_last():
    torch.manual_seed(1)
    loss = LossChoice(name="adareg").build(FACTS)
    old, x = loss.centers.clone(), torch.randn(2, 2)
    new = moved_centers(old, x, TARGET)
    alpha = importance_coefficients(TARGET, classes=3, neutral=0)
    order = [1, 2, 0]
    expected = 5 * F.cross_entropy(OUTPUT, TARGET) + 0.01 * adareg_loss(new[order], alpha[order])
    torch.testing.assert_close(loss(OUTPUT, x, TARGET), expected)
    torch.manual_seed(1)
    plain = LossChoice(name="reg", weight=0.5, task_weight=0.0).build(FACTS)
    torch.testing.assert_close(plain(OUTPUT, x, TARGET), 0.5 * reg_loss(new))


@pytest.mark.parametrize("name", NAMES)
def test_what_happens_at_the_edges(name):
    """One face, one class, a class that never occurs, bf16, soft labels: numbers all the same."""
    loss = LossChoice(name=name).build(FACTS)
    for target in (torch.tensor([2]), torch.tensor([[0.5, 0.5, 0.0]])):
        x = torch.zeros(1, 2, dtype=torch.bfloat16, requires_grad=True)
        found = loss(torch.zeros(1, 3).bfloat16(), x, target)
        found.backward()
        assert found.isfinite() and x.grad.isfinite().all()


def test_ldam_takes_the_counts_of_the_training_faces():
    loss = LossChoice(name="ldam", scale=1.0, max_margin=0.0).build(FACTS)
    found = loss(OUTPUT, torch.zeros(2, 2), TARGET)
    torch.testing.assert_close(found, F.cross_entropy(OUTPUT, TARGET))
    assert set(NAMES) | {"focal", "ldam"} <= set(TASK_LOSSES)
