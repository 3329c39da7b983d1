"""RKD: triangles by hand, slow loops over pairs and triplets, and what must not matter."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import relational_angle_loss, relational_distance_loss
from occkd_lib.losses.distillation.relational import same_faces, unit_vectors

LINE = torch.tensor([[0.0], [1.0], [3.0]])  # distances 1, 3, 2


def huber(difference):
    return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 1 / 2


def test_distances_by_hand():
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])  # distances 3, 4, 5
    each = huber(3 / 4 - 1 / 2) + huber(4 / 4 - 3 / 2) + huber(5 / 4 - 2 / 2)
    assert relational_distance_loss(triangle, LINE).item() == pytest.approx(2 * each / 9)


def test_distances_of_0_have_no_part_in_the_mean_and_large_differences_are_linear():
    student = torch.tensor([[0.0], [9.0], [1.0]])  # distances 9, 1, 8: mean 6
    teacher = torch.tensor([[5.0], [5.0], [7.0]])  # distances 0, 2, 2: mean 2
    each = (9 / 6 - 1 / 2) + (1 / 6 - 1) ** 2 / 2 + (8 / 6 - 1) ** 2 / 2
    assert relational_distance_loss(student, teacher).item() == pytest.approx(2 * each / 9)


def test_angles_by_hand():
    """A right angle and two of 45 degrees; on the line, the face in the middle has 180."""
    triangle = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    cosine = math.sqrt(1 / 2)
    each = huber(0 - 1) + huber(cosine + 1) + huber(cosine - 1)
    assert relational_angle_loss(triangle, LINE).item() == pytest.approx(2 * each / 27)


def slow_distances(x):
    rows, n = x.double().tolist(), len(x)
    d = [[math.dist(a, b) for b in rows] for a in rows]
    apart = [d[i][j] for i in range(n) for j in range(n) if i != j]
    return [[v * len(apart) / sum(apart) for v in row] for row in d]


def slow_angles(x):
    rows, found = x.double().tolist(), []
    for b in rows:
        for a in rows:
            for c in rows:
                u, v = [p - q for p, q in zip(a, b)], [p - q for p, q in zip(c, b)]  # noqa: B905
                lengths = math.hypot(*u) * math.hypot(*v)
                inner = sum(p * q for p, q in zip(u, v))  # noqa: B905
                found.append(inner / lengths if lengths else 0.0)
    return found


FACES = st.tuples(st.integers(2, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))


def two_networks(faces, wide, other, seed):
    """Embeddings with outliers, so that the Huber loss is on both of its branches."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(faces, wide, generator=g) ** 3, torch.randn(faces, other, generator=g) ** 3


@settings(deadline=None, max_examples=40)
@given(FACES)
def test_distances_equal_a_slow_loop(sizes):
    s, t = two_networks(*sizes)
    a, b, n = slow_distances(s), slow_distances(t), len(s)
    expected = sum(huber(a[i][j] - b[i][j]) for i in range(n) for j in range(n)) / n**2
    assert relational_distance_loss(s, t).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(FACES)
def test_angles_equal_a_slow_loop(sizes):
    s, t = two_networks(*sizes)
    expected = sum(huber(a - b) for a, b in zip(slow_angles(s), slow_angles(t), strict=True))
    found = relational_angle_loss(s, t).item()
    assert found == pytest.approx(expected / len(s) ** 3, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("loss", [relational_distance_loss, relational_angle_loss])
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_only_the_shape_of_the_cloud_matters(loss, seed, scale):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(5, 3, generator=g), torch.randn(5, 4, generator=g)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=g))[0]
    moved = scale * (s @ turn + torch.randn(3, generator=g))
    torch.testing.assert_close(loss(moved, t), loss(s, t), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(loss(s, 0.1 * t - 2), loss(s, t), rtol=1e-3, atol=1e-4)
    assert loss(moved, s).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", [relational_distance_loss, relational_angle_loss])
def test_one_face_has_no_relations(loss):
    s = torch.ones(1, 3, requires_grad=True)
    found = loss(s, torch.ones(1, 2))
    found.backward()
    assert found.item() == 0 and not s.grad.any()


def test_a_face_twice_in_a_batch_pulls_no_harder_than_any_other():
    """Its two embeddings differ by rounding: no direction, and no slope of 1 / 1e-7."""
    s = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0], [-1.0, 1.0]])
    s[1] = torch.nextafter(s[1], torch.tensor(9.0))
    s.requires_grad_()
    teacher = torch.tensor([[0.0, 1.0], [1.0, 0.0], [3.0, 1.0], [2.0, 2.0]])
    relational_angle_loss(s, teacher).backward()
    assert 0 < s.grad.abs().max() < 10


def test_unit_vectors_leave_the_short_as_they_are():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 0.1]], requires_grad=True)
    found = unit_vectors(x, 0.5)
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.0, 0.1]]))
    found.sum().backward()
    torch.testing.assert_close(x.grad[1:], torch.ones(2, 2))
    torch.testing.assert_close(unit_vectors(x.detach(), dim=0)[0], torch.tensor([1.0, 0.9997]),
                               atol=1e-4, rtol=0)  # fmt: skip


def test_only_matrices_of_as_many_faces_pass():
    same_faces("a", torch.zeros(2, 3), "b", torch.zeros(2, 5))
    for a, b in (((2, 3), (1, 3)), ((2,), (2,)), ((2, 3), (2, 3, 1)), ((2, 1, 3), (2, 3))):
        with pytest.raises(ValueError, match="must be matrices with as many rows"):
            same_faces("a", torch.zeros(a), "b", torch.zeros(b))
