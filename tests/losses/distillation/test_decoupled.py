"""Decoupled distillation: by hand, by a slow loop, and put together again."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import decoupled_loss, opinion_loss

# softened predictions of which the true class is the first
TEACHER = torch.tensor([[1 / 2, 1 / 4, 1 / 4]]).log()
STUDENT = torch.tensor([[1 / 4, 1 / 4, 1 / 2]]).log()
FIRST = torch.tensor([0])
TCKD = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
NCKD = 0.5 * math.log(0.5 / (1 / 3)) + 0.5 * math.log(0.5 / (2 / 3))


def slow(student, teacher, target, alpha, beta, tau):
    def softmax(row):
        e = [math.exp(v / tau) for v in row]
        return [v / sum(e) for v in e]

    total = 0.0
    for s, t, true in zip(student.tolist(), teacher.tolist(), target.tolist(), strict=True):
        p, q = softmax(t), softmax(s)
        tckd = p[true] * math.log(p[true] / q[true])
        tckd += (1 - p[true]) * math.log((1 - p[true]) / (1 - q[true]))
        nckd = 0.0
        for k in range(len(p)):
            if k != true:
                known, said = p[k] / (1 - p[true]), q[k] / (1 - q[true])
                nckd += known * math.log(known / said)
        total += tau**2 * (alpha * tckd + beta * nckd)
    return total / len(target)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.0, 1.0), (2.0, 3.0)])
def test_by_hand(alpha, beta):
    found = decoupled_loss(STUDENT, TEACHER, FIRST, alpha=alpha, beta=beta, tau=1.0)
    assert found.item() == pytest.approx(alpha * TCKD + beta * NCKD)
    # logits twice as large at tau = 2: the same predictions, times tau squared
    found = decoupled_loss(2 * STUDENT, 2 * TEACHER, FIRST, alpha=alpha, beta=beta, tau=2.0)
    assert found.item() == pytest.approx(4 * (alpha * TCKD + beta * NCKD))


def test_defaults_are_the_authors():
    found = decoupled_loss(4 * STUDENT, 4 * TEACHER, FIRST)
    assert found.item() == pytest.approx(16 * (TCKD + 8 * NCKD))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(2, 6), st.sampled_from([1.0, 4.0]), st.integers(0, 10_000))
def test_equals_a_slow_loop(faces, classes, tau, seed):
    g = torch.Generator().manual_seed(seed)
    s, t = (2 * torch.randn(faces, classes, generator=g) for _ in range(2))
    target = torch.randint(0, classes, (faces,), generator=g)
    found = decoupled_loss(s, t, target, alpha=0.7, beta=2.0, tau=tau)
    assert found.item() == pytest.approx(slow(s, t, target, 0.7, 2.0, tau), rel=1e-4, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_weighted_by_the_teachers_doubt_it_is_ordinary_distillation(classes, seed):
    g = torch.Generator().manual_seed(seed)
    s, t = (2 * torch.randn(1, classes, generator=g) for _ in range(2))
    target = torch.randint(0, classes, (1,), generator=g)
    doubt = 1 - t.softmax(1)[0, target].item()
    found = decoupled_loss(s, t, target, alpha=1.0, beta=doubt, tau=1.0)
    assert found.item() == pytest.approx(opinion_loss(s, t).item(), rel=1e-4, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_neither_the_order_of_classes_nor_a_constant_in_logits_matters(seed):
    g = torch.Generator().manual_seed(seed)
    s, t = (torch.randn(4, 5, generator=g, dtype=torch.float64) for _ in range(2))
    target = torch.randint(0, 5, (4,), generator=g)
    order = torch.randperm(5, generator=g)
    renamed = order.argsort()[target]
    expected = decoupled_loss(s, t, target)
    torch.testing.assert_close(decoupled_loss(s[:, order], t[:, order], renamed), expected)
    shifted = decoupled_loss(s + torch.randn(4, 1, generator=g), t - 3, target)
    torch.testing.assert_close(shifted, expected)


def test_of_two_classes_nothing_is_left_to_compare():
    s, t = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 0.0]])
    assert decoupled_loss(s, t, FIRST, alpha=0.0).item() == 0
    expected = opinion_loss(s, t).item()
    assert decoupled_loss(s, t, FIRST, tau=1.0).item() == pytest.approx(expected)


def test_a_student_that_is_certain_has_a_finite_loss_and_gradient():
    """1 - p_t is 2 exp(-200), which float32 cannot tell from 0; its logarithm it can."""
    s = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    loss = decoupled_loss(s, torch.zeros(1, 3), FIRST, tau=1.0)
    expected = math.log(1 / 3) / 3 + 2 / 3 * (math.log(2 / 3) - math.log(2) + 200)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert s.grad.tolist()[0] == pytest.approx([2 / 3, -1 / 3, -1 / 3], abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha and beta must not be negative"),
        ({"beta": -0.1}, "alpha and beta must not be negative"),
        ({"tau": 0.0}, "tau must be positive, not 0.0"),
        ({"target": torch.tensor([[0]])}, r"target \(1, 1\) .* must be 1 classes"),
        ({"target": torch.tensor([0, 0])}, r"target \(2,\) .* must be 1 classes"),
        ({"target": torch.tensor([0.0])}, "of torch.float32 must be 1 classes of torch.int64"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        decoupled_loss(STUDENT, TEACHER, **{"target": FIRST} | options)


def test_one_class_has_no_others():
    with pytest.raises(ValueError, match="must be B x K with K > 1"):
        decoupled_loss(torch.zeros(1, 1), torch.zeros(1, 1), FIRST)
