"""Losses on category representations: by hand, by slow loops, by finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import (
    adareg_loss,
    center_loss,
    importance_coefficients,
    island_loss,
    reg_loss,
    uniform_loss,
)

TRIANGLE = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]])  # distances 5, 8, 5


def test_importance_by_hand():
    """Eq. 1: ten faces, four of class 0, one of class 1, none of 2, five neutral."""
    targets = torch.tensor([0] * 4 + [1] + [3] * 5)
    found = importance_coefficients(targets, classes=4, neutral=3)
    assert found.tolist() == pytest.approx([0.6, 0.9, 1.0, 0.0])
    assert importance_coefficients(targets, classes=4, neutral=None)[3] == pytest.approx(0.5)
    assert importance_coefficients(targets[:0], classes=2, neutral=None).tolist() == [1, 1]
    assert importance_coefficients(torch.zeros(3).long(), classes=2, neutral=1).tolist() == [0, 0]
    with pytest.raises(ValueError, match="there are 3 classes"):
        importance_coefficients(targets, classes=3, neutral=None)


def test_reg_by_hand():
    assert reg_loss(TRIANGLE).item() == pytest.approx(1 / (10 * 18))
    assert reg_loss(TRIANGLE, expansion=2.0).item() == pytest.approx(1 / (2 * 18))


def test_adareg_weights_each_pair_with_its_lower_index():
    """Pairs (0, 1): 5, (0, 2): 8, (1, 2): 5; the last class's coefficient is never used."""
    found = adareg_loss(TRIANGLE, torch.tensor([0.5, 0.2, 99.0]), expansion=10.0)
    assert found.item() == pytest.approx(1 / (10 * (0.5 * 13 + 0.2 * 5)))


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 1000))
def test_adareg_equals_a_slow_loop(k, d, seed):
    g = torch.Generator().manual_seed(seed)
    e, alpha = torch.randn(k, d, generator=g), torch.rand(k, generator=g) + 0.01
    total = sum(
        float(alpha[i]) * math.dist(e[i].tolist(), e[j].tolist())
        for i in range(k) for j in range(i + 1, k)
    )  # fmt: skip
    assert adareg_loss(e, alpha, expansion=3.0).item() == pytest.approx(1 / (3 * total), rel=1e-4)
    assert torch.equal(reg_loss(e), adareg_loss(e, torch.ones(k)))


def test_adareg_pushes_representations_apart_and_never_breaks():
    e = TRIANGLE.clone().requires_grad_()
    adareg_loss(e, torch.ones(3)).backward()
    moved = (e - 10 * e.grad).detach()
    assert reg_loss(moved) < reg_loss(TRIANGLE)
    for e, alpha in ((torch.zeros(3, 2), torch.ones(3)), (TRIANGLE, torch.zeros(3))):
        e = e.clone().requires_grad_()
        loss = adareg_loss(e.bfloat16() if alpha.any() else e, alpha)
        loss.backward()
        assert loss.isfinite() and e.grad.isfinite().all()
    with pytest.raises(ValueError, match="must be K x D with K > 1"):
        reg_loss(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="expansion must be positive"):
        reg_loss(TRIANGLE, expansion=0.0)


def test_center_loss_by_hand():
    centers = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    x = torch.tensor([[3.0, 4.0], [1.0, 2.0]])
    assert center_loss(x, torch.tensor([0, 1]), centers).item() == 0.5 * (25 + 1) / 2


def test_island_loss_by_hand():
    """Cosines of ordered pairs: 0 twice, 1 twice (parallel), 0 twice."""
    centers = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    x = centers[[0]]
    apart = 2 * (0 + 1) + 2 * (1 + 1) + 2 * (0 + 1)
    found = island_loss(x, torch.tensor([0]), centers, weight=0.5)
    assert found.item() == pytest.approx(0.5 * apart)
    assert island_loss(x, torch.tensor([2]), centers, weight=0.0).item() == 0.5 * 4


def test_uniform_loss_by_hand():
    expected = (1 / 6 + 1 / 9 + 1 / 6) / 3  # distances 5, 8, 5; each ordered pair counts twice
    assert uniform_loss(TRIANGLE).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["center", "island", "uniform", "adareg"])
def test_gradients_equal_finite_differences(loss):
    torch.manual_seed(0)
    centers = torch.randn(4, 3, dtype=torch.float64)
    targets = torch.tensor([0, 1, 1, 3])
    x = torch.randn(4, 3, dtype=torch.float64)
    functions = {
        "center": lambda c: center_loss(x, targets, c),
        "island": lambda c: island_loss(x, targets, c, weight=0.3),
        "uniform": uniform_loss,
        "adareg": lambda c: adareg_loss(c, torch.tensor([0.5, 0.2, 1.0, 0.0])),
    }
    c = centers.clone().requires_grad_()
    functions[loss](c).backward()
    step = 1e-2
    for i in range(4):
        ahead, behind = centers.clone(), centers.clone()
        ahead[i, 0] += step
        behind[i, 0] -= step
        slope = (functions[loss](ahead) - functions[loss](behind)) / (2 * step)
        assert c.grad[i, 0].item() == pytest.approx(slope.item(), rel=0.03, abs=3e-4)
