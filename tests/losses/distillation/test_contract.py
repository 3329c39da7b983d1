"""What every distillation loss promises: float32, a fixed teacher, gradients that never break."""

import pytest
import torch

from occkd_lib.losses import (
    attention_loss,
    contrastive_loss,
    decoupled_loss,
    dist_loss,
    pseudo_label_loss,
    relational_angle_loss,
    relational_distance_loss,
    similarity_loss,
)

TARGET = torch.tensor([0, 1, 1, 3, 2])
MAPS = (5, 3, 2, 2)
# name: (loss of student and teacher, shape of the student's, shape of the teacher's)
LOSSES = {
    "decoupled": (lambda s, t: decoupled_loss(s, t, TARGET), (5, 4), (5, 4)),
    "dist": (lambda s, t: dist_loss(s, t, tau=2.0), (5, 4), (5, 4)),
    "distance": (relational_distance_loss, (5, 4), (5, 6)),
    "angle": (relational_angle_loss, (5, 4), (5, 6)),
    "pseudo-labels": (lambda s, t: pseudo_label_loss(s, t, threshold=0.3), (5, 4), (5, 4)),
    "similarity": (similarity_loss, (5, 4), (5, 6)),
    "attention": (attention_loss, MAPS, (5, 4, 2, 2)),
    "attention, plain": (lambda s, t: attention_loss(s, t, squared=False), MAPS, (5, 4, 2, 2)),
    "contrastive": (contrastive_loss, (5, 4), (5, 4)),
    "contrastive, classes": (
        lambda s, t: contrastive_loss(s, t, tau=0.5, target=TARGET), (5, 4), (5, 4)
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", list(LOSSES))


def drawn(name, seed=0):
    loss, student, teacher = LOSSES[name]
    g = torch.Generator().manual_seed(seed)
    return loss, torch.randn(student, generator=g), torch.randn(teacher, generator=g)


@EVERY
def test_a_scalar_in_float32_whatever_comes_in(name):
    loss, s, t = drawn(name)
    s, t = s.bfloat16(), t.bfloat16()
    expected = loss(s.float(), t.float())
    assert expected.shape == () and expected.dtype == torch.float32 and expected > 0
    for found in (loss(s, t), loss(s.double(), t.double())):
        assert torch.equal(found, expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(s, t), expected)


@EVERY
def test_no_gradient_reaches_the_teacher(name):
    loss, s, t = drawn(name)
    s.requires_grad_(), t.requires_grad_()
    loss(s, t).backward()
    assert t.grad is None
    assert s.grad.isfinite().all() and s.grad.abs().sum() > 0


@EVERY
def test_gradients_equal_finite_differences(name):
    loss, s, t = drawn(name, seed=3)
    s.requires_grad_()
    loss(s, t).backward()
    step = 1e-2
    largest = s.grad.abs().max().item()
    for place in range(0, s.numel(), 3):
        ahead, behind = s.detach().clone(), s.detach().clone()
        ahead.view(-1)[place] += step
        behind.view(-1)[place] -= step
        slope = (loss(ahead, t) - loss(behind, t)).item() / (2 * step)
        found = s.grad.view(-1)[place].item()
        assert found == pytest.approx(slope, rel=0.02, abs=0.01 * largest)


@EVERY
def test_a_step_downhill_is_one(name):
    loss, s, t = drawn(name)
    s.requires_grad_()
    before = loss(s, t)
    before.backward()
    moved = (s - 1e-2 * s.grad / s.grad.norm()).detach()
    assert loss(moved, t) < before


def equal_rows(x):
    """Each value is 0.3, 0.7 or the like: their mean is not exact in float32."""
    return x[:1].expand_as(x)


def equal_pair(x):
    return torch.cat([x[:1], x[:-1]])


DEGENERATE = {"zeros": torch.zeros_like, "equal rows": equal_rows, "equal pair": equal_pair,
              "constant": lambda x: torch.full_like(x, 0.3)}  # fmt: skip


@EVERY
@pytest.mark.parametrize("student", list(DEGENERATE))
@pytest.mark.parametrize("teacher", [None, *DEGENERATE])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 100.0])
def test_gradients_never_break(name, student, teacher, scale):
    loss, s, t = drawn(name)
    s = (scale * DEGENERATE[student](s)).clone().requires_grad_()
    found = loss(s, DEGENERATE[teacher](t) if teacher else t)
    found.backward()
    assert found.isfinite() and s.grad.isfinite().all()
    # all of these depend on s / scale alone, but for softmax
    assert (s.grad * max(scale, 1e-2)).abs().max() < 1e3


@EVERY
def test_a_student_that_is_its_teacher_is_at_rest(name):
    loss, s, _ = drawn(name)
    s.requires_grad_()
    found = loss(s, s)
    found.backward()
    assert s.grad.isfinite().all()
    if not name.startswith(("contrastive", "pseudo")):  # these still push, away and to the class
        assert found.item() == pytest.approx(0, abs=1e-5) and s.grad.abs().max() < 1e-3


@EVERY
def test_a_broadcast_is_refused(name):
    loss, s, t = drawn(name)
    for short in ((s[:1], t), (s, t[:1]), (s[0], t)):
        with pytest.raises(ValueError, match="must be"):
            loss(*short)
