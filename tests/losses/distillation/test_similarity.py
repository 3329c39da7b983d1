"""Similarity-preserving distillation: by hand, by a slow loop, and what must not matter."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import similarity_loss


def test_by_hand():
    student = torch.eye(2)  # each face is similar to itself only: [1, 0], [0, 1]
    teacher = torch.tensor([[3.0], [4.0]])  # [9, 12] / 15 and [12, 16] / 20: twice [0.6, 0.8]
    expected = (0.4**2 + 0.8**2 + 0.6**2 + 0.2**2) / 4
    assert similarity_loss(student, teacher).item() == pytest.approx(expected)


def slow(x):
    rows = x.double().tolist()
    gram = [[sum(p * q for p, q in zip(a, b, strict=True)) for b in rows] for a in rows]
    return [[v / math.hypot(*row) for v in row] for row in gram]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
def test_equals_a_slow_loop(faces, wide, other, seed):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(faces, wide, generator=g), torch.randn(faces, other, generator=g)
    a, b = slow(s), slow(t)
    total = sum((a[i][j] - b[i][j]) ** 2 for i in range(faces) for j in range(faces))
    assert similarity_loss(s, t).item() == pytest.approx(total / faces**2, rel=1e-4, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_neither_rotation_nor_scale_nor_the_order_of_faces_matters(seed, scale):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(5, 3, generator=g), torch.randn(5, 4, generator=g)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=g))[0]
    order = torch.randperm(5, generator=g)
    found = similarity_loss(scale * (s @ turn)[order], t[order] / scale)
    torch.testing.assert_close(found, similarity_loss(s, t), rtol=1e-3, atol=1e-5)
    assert similarity_loss(scale * s @ turn, s).item() == pytest.approx(0, abs=1e-6)


def test_feature_maps_are_to_be_flattened():
    with pytest.raises(ValueError, match="must be matrices with as many rows.* flatten"):
        similarity_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3))
