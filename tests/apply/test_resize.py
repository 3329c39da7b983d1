"""Resizing in an export's operations: torch's own numbers, to the last bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from occkd_lib.apply.resize import ORDERS, Resize, down, resize_weights, terms

SIZES = [(48, 32), (48, 64), (200, 48), (200, 64), (200, 96), (64, 40), (48, 48)]


def noise(source):
    """Smooth enough for ties: halves of grey levels are frequent after averaging."""
    generator = torch.Generator().manual_seed(source)
    return torch.randint(0, 256, (4, 3, source, source), generator=generator).float()


def theirs(faces, target):
    return F.interpolate(faces, (target, target), mode="bilinear", antialias=True)


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_it_is_torchs_to_the_last_bit(source, target):
    resize = Resize(source, target)
    assert (resize.differing, resize.order in ORDERS) == (0, True)
    assert torch.equal(resize(noise(source)), theirs(noise(source), target))


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_weights(source, target):
    lines = resize_weights(source, target)
    assert lines.shape == (target, source)
    torch.testing.assert_close(lines.sum(1), torch.ones(target))
    product = lines @ (noise(source) @ lines.T)
    torch.testing.assert_close(product, theirs(noise(source), target), atol=1e-3, rtol=0)


def test_a_product_of_matrices_is_not():
    """Why all this: rounded, a few of its pixels differ."""
    faces = torch.randint(0, 2, (64, 1, 200, 200), generator=torch.manual_seed(0)) * 255.0
    lines = resize_weights(200, 64)
    product = lines @ (faces @ lines.T)
    assert (product.round() != theirs(faces, 64).round()).any()
    assert torch.equal(Resize(200, 64)(faces).round(), theirs(faces, 64).round())


def test_which_terms_are_fused():
    lines = torch.zeros(2, 8)
    lines[0, 1:8], lines[1, 6:8] = torch.arange(1, 8), torch.tensor([8.0, 9])
    for group, alone in ((4, [1, 2, 3, 4, 5]), (1, [1, 2, 3, 4, 5, 6, 7]), (1 << 30, [1])):
        where, rounded, fused = terms(lines, group)
        assert where.T.tolist() == [[1, 2, 3, 4, 5, 6, 7], [6, 7, 7, 7, 7, 7, 7]]
        assert rounded[:, 0][rounded[:, 0] > 0].tolist() == alone
        assert torch.equal((rounded + fused)[:, 0], torch.arange(1, 8))
        assert (rounded + fused)[:, 1].tolist() == [8, 9, 0, 0, 0, 0, 0]


def test_a_fused_term_is_rounded_once():
    """(1 + e)(1 - e) - 1 is -e^2, which a rounded product loses; e = 2^-13."""
    e = 2.0**-13
    x = torch.tensor([1.0, 1 + e]).view(1, 1, 2, 1)
    where = torch.tensor([[0], [1]])
    first, last, none = torch.tensor([-1.0]), torch.tensor([1 - e]), torch.zeros(1)
    fused = down(x, where, torch.stack([first, none]), torch.stack([none, last]).double())
    alone = down(x, where, torch.stack([first, last]), torch.stack([none, none]).double())
    assert (fused.item(), alone.item()) == (-(e**2), 0.0)
