"""InfoNCE between two views: by hand, by a slow loop, and who counts as a negative."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import contrastive_loss

STUDENT = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
TEACHER = torch.tensor([[7.0, 0.0], [3.0, 4.0]])  # cosines: 1 and 0.6; 0 and 0.8


def test_by_hand():
    """Each row asks of the student's face; were it the teacher's, 0.6 would stand beside 0.8."""
    for tau in (1.0, 0.1):
        expected = (math.log1p(math.exp(-0.4 / tau)) + math.log1p(math.exp(-0.8 / tau))) / 2
        found = contrastive_loss(STUDENT, TEACHER, tau=tau).item()
        assert found == pytest.approx(expected, rel=1e-5)
    assert contrastive_loss(STUDENT, TEACHER).item() == found, "tau is 0.1"


def slow(student, teacher, tau, target):
    s, t = student.double().tolist(), teacher.double().tolist()

    def score(a, b):
        inner = sum(p * q for p, q in zip(a, b, strict=True))
        return math.exp(inner / math.hypot(*a) / math.hypot(*b) / tau)

    total = 0.0
    for i in range(len(s)):
        positive = score(s[i], t[i])
        negatives = [score(s[i], t[j]) for j in range(len(s)) if target[j] != target[i]]
        total -= math.log(positive / (positive + sum(negatives)))
    return total / len(s)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 7), st.integers(2, 5), st.sampled_from([0.1, 1.0]), st.integers(0, 10_000))
def test_equals_a_slow_loop(faces, wide, tau, seed):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(faces, wide, generator=g), torch.randn(faces, wide, generator=g)
    target = torch.randint(0, 3, (faces,), generator=g)
    found = contrastive_loss(s, t, tau=tau).item()
    assert found == pytest.approx(slow(s, t, tau, range(faces)), rel=1e-4, abs=1e-5)
    found = contrastive_loss(s, t, tau=tau, target=target).item()
    assert found == pytest.approx(slow(s, t, tau, target.tolist()), rel=1e-4, abs=1e-5)


def test_a_face_of_the_same_class_is_not_pushed_away():
    g = torch.Generator().manual_seed(0)
    s, t = torch.randn(3, 4, generator=g), torch.randn(3, 4, generator=g)
    everybody = contrastive_loss(s, t)
    torch.testing.assert_close(contrastive_loss(s, t, target=torch.arange(3)), everybody)
    s.requires_grad_()
    alone = contrastive_loss(s, t, target=torch.zeros(3).long())
    alone.backward()
    assert alone.item() == 0 and not s.grad.any()
    assert contrastive_loss(s, t, target=torch.tensor([0, 0, 1])) < everybody


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_neither_lengths_nor_a_common_rotation_nor_the_order_of_faces_matters(seed, scale):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=g))[0]
    order, lengths = torch.randperm(5, generator=g), torch.rand(5, 1, generator=g) + 0.1
    found = contrastive_loss((scale * lengths * s @ turn)[order], (t @ turn)[order])
    torch.testing.assert_close(found, contrastive_loss(s, t), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 0.0}, "tau must be positive, not 0.0"),
        ({"target": torch.tensor([[0], [1]])}, r"target \(2, 1\) must be 2 classes, one per face"),
        ({"target": torch.tensor([0])}, r"target \(1,\) must be 2 classes, one per face"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        contrastive_loss(STUDENT, TEACHER, **options)


def test_widths_must_be_equal():
    with pytest.raises(ValueError, match="must be matrices of the same shape"):
        contrastive_loss(torch.ones(2, 3), torch.ones(2, 4))
