"""Pseudo-labels: the classes that a sure teacher names, and nothing where it is not sure."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from occkd_lib.losses import pseudo_label_loss

EVEN = [0.0, 0.0]  # a student that knows nothing: ln 2 a face


def logits(*sure):
    """A teacher of two classes that holds the first one as likely as said."""
    return torch.tensor([[math.log(p), math.log(1 - p)] for p in sure])


def test_by_hand():
    student = torch.tensor([EVEN, [math.log(3), 0.0], EVEN])
    teacher = logits(0.99, 0.02, 0.6)  # first class, second class, not sure
    expected = (math.log(2) + math.log(4)) / 3  # the third counts in the mean
    assert pseudo_label_loss(student, teacher).item() == pytest.approx(expected, rel=1e-6)
    without = pseudo_label_loss(student, teacher, threshold=0)
    assert without.item() == pytest.approx((2 * math.log(2) + math.log(4)) / 3, rel=1e-6)


def test_the_threshold_itself_is_sure():
    teacher = logits(0.5)
    assert pseudo_label_loss(torch.tensor([EVEN]), teacher, threshold=0.5).item() > 0
    assert pseudo_label_loss(torch.tensor([EVEN]), teacher, threshold=0.51).item() == 0


def test_an_unsure_teacher_gives_no_gradient():
    student = torch.zeros(2, 2, requires_grad=True)
    pseudo_label_loss(student, logits(0.99, 0.6)).backward()
    torch.testing.assert_close(student.grad, torch.tensor([[-0.25, 0.25], [0.0, 0.0]]))


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_loop_says_the_same(seed, threshold):
    g = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(6, 3, generator=g), 3 * torch.randn(6, 3, generator=g)
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        p = t.softmax(0)
        if p.max() >= threshold:
            total -= s.log_softmax(0)[p.argmax()].item()
    assert pseudo_label_loss(student, teacher, threshold=threshold).item() == pytest.approx(
        total / 6, rel=1e-5, abs=1e-7
    )


def test_mistakes():
    with pytest.raises(ValueError, match="threshold must be 0 to 1, not 2"):
        pseudo_label_loss(torch.zeros(1, 2), torch.zeros(1, 2), threshold=2)
    with pytest.raises(ValueError, match="teacher_logits"):
        pseudo_label_loss(torch.zeros(1, 2), torch.zeros(1, 3))
