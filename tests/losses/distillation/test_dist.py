"""DIST: correlations of predictions by hand and by NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import dist_loss

STUDENT = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2]]).log()
TEACHER = torch.tensor([[1 / 4, 1 / 4, 1 / 2], [1 / 4, 1 / 2, 1 / 4]]).log()
# Minus their mean, each row holds 2/12, -1/12, -1/12 in some order: rho = -3/144 / (6/144).
INTER = 1 - (-1 / 2)
# Class by class: the teacher is constant, the student is constant, they are opposed.
INTRA = 1 - (0 + 0 - 1) / 3


@pytest.mark.parametrize(("beta", "gamma"), [(1.0, 0.0), (0.0, 1.0), (2.0, 3.0)])
def test_by_hand(beta, gamma):
    found = dist_loss(STUDENT, TEACHER, beta=beta, gamma=gamma)
    assert found.item() == pytest.approx(beta * INTER + gamma * INTRA)
    # logits twice as large at tau = 2: the same predictions, times tau squared
    found = dist_loss(2 * STUDENT, 2 * TEACHER, beta=beta, gamma=gamma, tau=2.0)
    assert found.item() == pytest.approx(4 * (beta * INTER + gamma * INTRA))


def test_both_relations_count_once_by_default():
    assert dist_loss(STUDENT, TEACHER).item() == pytest.approx(INTER + INTRA)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 7), st.integers(2, 6), st.sampled_from([1.0, 4.0]), st.integers(0, 10_000))
def test_equals_numpy(faces, classes, tau, seed):
    g = torch.Generator().manual_seed(seed)
    s, t = (2 * torch.randn(faces, classes, generator=g) for _ in range(2))
    p, q = ((x.double() / tau).softmax(1).numpy() for x in (s, t))
    inter = np.mean([1 - np.corrcoef(p[i], q[i])[0, 1] for i in range(faces)])
    intra = np.mean([1 - np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(classes)])
    found = dist_loss(s, t, beta=0.3, gamma=2.0, tau=tau).item()
    assert found == pytest.approx(tau**2 * (0.3 * inter + 2.0 * intra), rel=1e-3, abs=1e-3)


def test_a_teacher_in_other_words_costs_nothing():
    """Halfway to indifference, every prediction keeps its relations; its values it loses."""
    hesitant = (0.5 * TEACHER.exp() + 0.5 / 3).log()
    found = dist_loss(hesitant, TEACHER, gamma=0.0)
    assert found.item() == pytest.approx(0, abs=1e-6)
    # The class of which the teacher always says 1/4 has no relation that could be kept.
    assert dist_loss(hesitant, TEACHER, beta=0.0).item() == pytest.approx(1 / 3, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_the_order_of_faces_and_classes_does_not_matter(seed):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(6, 4, generator=g), torch.randn(6, 4, generator=g)
    rows, columns = torch.randperm(6, generator=g), torch.randperm(4, generator=g)
    found = dist_loss(s[rows][:, columns], t[rows][:, columns])
    torch.testing.assert_close(found, dist_loss(s, t), rtol=1e-4, atol=1e-5)


def test_one_face_correlates_with_nothing_and_pulls_nowhere():
    s = STUDENT[:1].clone().requires_grad_()
    loss = dist_loss(s, TEACHER[:1], beta=0.0)
    loss.backward()
    assert loss.item() == 1 and not s.grad.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": -1.0}, "beta and gamma must not be negative"),
        ({"gamma": -1.0}, "beta and gamma must not be negative"),
        ({"tau": 0.0}, "tau must be positive, not 0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dist_loss(STUDENT, TEACHER, **options)
