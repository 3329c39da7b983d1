"""Focal loss and LDAM: by hand, and equal to cross-entropy where they should be."""

import math

import pytest
import torch
import torch.nn.functional as F

from occkd_lib.losses import focal_loss, ldam_loss

LOGITS = torch.tensor([[0.0, math.log(3.0)], [0.0, math.log(3.0)]])  # p: 1/4 and 3/4
TARGETS = torch.tensor([1, 0])


def test_focal_by_hand():
    expected = -((1 / 4) ** 2 * math.log(3 / 4) + (3 / 4) ** 2 * math.log(1 / 4)) / 2
    assert focal_loss(LOGITS, TARGETS).item() == pytest.approx(expected)


def test_focal_without_gamma_is_the_cross_entropy():
    x, y = torch.randn(20, 5), torch.randint(0, 5, (20,))
    assert focal_loss(x, y, gamma=0.0).item() == pytest.approx(
        F.cross_entropy(x, y).item(), rel=1e-5
    )
    sure = torch.tensor([[100.0, -100.0]], requires_grad=True)
    loss = focal_loss(sure.bfloat16(), torch.tensor([0]), gamma=0.5)
    loss.backward()
    assert loss.isfinite() and sure.grad.isfinite().all()
    with pytest.raises(ValueError, match="gamma must not be negative"):
        focal_loss(x, y, gamma=-1.0)


def test_ldam_by_hand():
    """Counts 16 and 81: n^-1/4 is 1/2 and 1/3, so the margins are 0.5 and 1/3."""
    cosines, targets = torch.tensor([[0.6, 0.2], [0.6, 0.2]]), torch.tensor([0, 1])
    first = math.log(1 + math.exp(10 * (0.2 - (0.6 - 0.5))))
    second = math.log(1 + math.exp(10 * (0.6 - (0.2 - 1 / 3))))
    found = ldam_loss(cosines, targets, [16, 81], max_margin=0.5, scale=10.0)
    assert found.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_ldam_without_margins_is_the_cross_entropy():
    x, y = torch.randn(20, 5), torch.randint(0, 5, (20,))
    found = ldam_loss(x, y, torch.tensor([1, 2, 3, 0, 5]), max_margin=0.0, scale=1.0)
    assert found.item() == pytest.approx(F.cross_entropy(x, y).item(), rel=1e-5)
    with pytest.raises(ValueError, match="do not match cosines"):
        ldam_loss(x, y, [1, 2])
