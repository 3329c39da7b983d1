"""Every loss against a float64 NumPy oracle, its gradients, and what must not happen."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import blend, hint_loss, soft_target_loss, triplet_kd_loss

SEEDS = st.integers(0, 2**31 - 1)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 12))


def pair(seed, size, count=2, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator) * scale for _ in range(count)]


def numpy_soft_targets(student, teacher, tau, tau_squared):
    def log_softmax(x):
        x = x - x.max(1, keepdims=True)
        return x - np.log(np.exp(x).sum(1, keepdims=True))

    soft = np.exp(log_softmax(teacher.double().numpy() / tau))
    loss = -(soft * log_softmax(student.double().numpy() / tau)).sum(1).mean()
    return loss * tau**2 if tau_squared else loss


def close(value, expected):
    return value == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(SEEDS, SIZES, st.sampled_from([1.0, 4.0, 20.0]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_soft_targets_match_numpy(seed, size, tau, tau_squared):
    student, teacher = pair(seed, size)
    loss = soft_target_loss(student, teacher, tau, tau_squared=tau_squared)
    assert close(loss.item(), numpy_soft_targets(student, teacher, tau, tau_squared))


def test_soft_targets_by_hand():
    # softmax([ln 3, 0]) = [3/4, 1/4]; the student is indifferent: log 1/2 for both classes.
    loss = soft_target_loss(torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]]), 1.0)
    assert close(loss.item(), math.log(2))
    # At tau = 2 the teacher says softmax([ln 3 / 2, 0]) = [0.6340, 0.3660].
    loss = soft_target_loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[math.log(3), 0.0]]), 2.0)
    p = math.sqrt(3) / (1 + math.sqrt(3))
    assert close(loss.item(), -(p - math.log(math.e + 1) * 1.0))


@given(SEEDS, SIZES, st.sampled_from(["mean", "sum"]))
@settings(max_examples=40, deadline=None)
def test_hint_matches_numpy(seed, size, reduction):
    student, teacher = pair(seed, size)
    distance = np.abs(teacher.double().numpy() - student.double().numpy())
    expected = distance.mean() if reduction == "mean" else distance.sum(1).mean()
    assert close(hint_loss(student, teacher, reduction=reduction).item(), expected)


def test_hint_by_hand():
    student, teacher = (
        torch.tensor([[1.0, 2.0], [0.0, 0.0]]),
        torch.tensor([[0.0, 4.0], [1.0, 0.0]]),
    )
    assert hint_loss(student, teacher).item() == 1.0  # (1 + 2 + 1 + 0) / 4
    assert hint_loss(student, teacher, reduction="sum").item() == 2.0  # (3 + 1) / 2


@given(SEEDS, SIZES, st.sampled_from([0.0, 0.1, 0.5]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_triplet_matches_numpy(seed, size, alpha, squared):
    anchor, positive, negative = pair(seed, size, 3)
    a, p, n = (x.double().numpy() for x in (anchor, positive, negative))
    near, far = ((a - p) ** 2).sum(1), ((a - n) ** 2).sum(1)
    if not squared:
        near, far = np.sqrt(near), np.sqrt(far)
    expected = np.maximum(0, near - far + alpha).mean()
    loss = triplet_kd_loss(anchor, positive, negative, alpha=alpha, squared=squared)
    size = (near + far + alpha).mean()  # float32 rounds each distance, not their difference
    assert loss.item() == pytest.approx(expected, abs=1e-6 * size)


def test_triplet_by_hand():
    anchor = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    positive = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    negative = torch.tensor([[0.0, 2.0], [0.0, 9.0]])
    # squared: [25 - 4 + .5, 1 - 81 + .5 -> 0] / 2; plain: [5 - 2 + .5, 1 - 9 + .5 -> 0] / 2
    assert triplet_kd_loss(anchor, positive, negative, alpha=0.5).item() == 10.75
    assert triplet_kd_loss(anchor, positive, negative, alpha=0.5, squared=False).item() == 1.75


def test_blend_by_hand():
    task, distillation = torch.tensor(2.0), torch.tensor(10.0)
    assert blend(task, distillation, 0.25).item() == 4.0
    assert blend(task, distillation, 0.25, keep_task_weight=True).item() == 4.5


def test_no_gradient_reaches_the_teacher():
    student, teacher, other = (x.requires_grad_() for x in pair(0, (4, 6), 3))
    loss = (
        soft_target_loss(student, teacher, 20.0)
        + hint_loss(student, teacher)
        + triplet_kd_loss(student, teacher, other, alpha=0.5)
    )
    loss.backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0
    assert other.grad.abs().sum() > 0, "the negative's gradient flows through the student"


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_gradients_stay_finite_at_tau_20_in_bf16(scale):
    student, teacher = pair(1, (8, 8), scale=scale)
    student = student.bfloat16().requires_grad_()
    soft_target_loss(student, teacher.bfloat16(), 20.0).backward()
    assert student.grad.isfinite().all()
    assert student.grad.abs().sum() > 0


def test_plain_distance_of_equal_embeddings_has_a_finite_gradient():
    anchor = torch.zeros(2, 3, requires_grad=True)
    loss = triplet_kd_loss(anchor, torch.zeros(2, 3), torch.zeros(2, 3), alpha=0.1, squared=False)
    loss.backward()
    assert anchor.grad.isfinite().all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: soft_target_loss(torch.zeros(2, 3), torch.zeros(2, 4), 1.0),
        lambda: soft_target_loss(torch.zeros(2, 3), torch.zeros(2, 3), 0.0),
        lambda: hint_loss(torch.zeros(2, 3), torch.zeros(1, 3)),
        lambda: hint_loss(torch.zeros(2, 3), torch.zeros(2, 3), reduction="max"),
        lambda: triplet_kd_loss(torch.zeros(3), torch.zeros(3), torch.zeros(3), alpha=0.1),
        lambda: triplet_kd_loss(*[torch.zeros(2, 3)] * 3, alpha=-0.1),
        lambda: blend(torch.tensor(1.0), torch.tensor(1.0), 1.5),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError):  # noqa: PT011
        call()
