"""Attention transfer: by hand, by a slow loop, in both readings, from maps and from a cache."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses import attention_loss, attention_map

# Two faces, H x W = 1 x 2. Squares over channels: student [3, 4], [0, 1]; teacher [0, 25], [0, 4].
STUDENT = torch.tensor([[[1.0, 2.0], [1.0, 0.0], [-1.0, 0.0]], [[0.0, 1.0], [0.0, 0.0], [0, 0]]])
STUDENT = STUDENT[:, :, None]
TEACHER = torch.tensor([[[0.0, -5.0]], [[0.0, 2.0]]])[:, :, None]


def test_by_hand():
    torch.testing.assert_close(attention_map(STUDENT), torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    assert attention_map(TEACHER).tolist() == [[0.0, 1.0], [0.0, 1.0]]
    far = 0.6**2 + 0.2**2  # of the first face; the second agrees
    assert attention_loss(STUDENT, TEACHER).item() == pytest.approx(far / 4)
    found = attention_loss(STUDENT, TEACHER, squared=False)
    assert found.item() == pytest.approx(math.sqrt(far) / 2)


def slow_attention(maps):
    found = []
    for face in maps.double().tolist():
        cells = [
            sum(channel[y][x] ** 2 for channel in face)
            for y in range(len(face[0])) for x in range(len(face[0][0]))
        ]  # fmt: skip
        found.append([v / math.hypot(*cells) for v in cells])
    return found


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3),
    st.integers(0, 10_000),
)  # fmt: skip
def test_equals_a_slow_loop(faces, channels, others, h, w, seed):
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(faces, channels, h, w, generator=g)
    t = torch.randn(faces, others, h, w, generator=g)
    squares = [
        sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        for a, b in zip(slow_attention(s), slow_attention(t), strict=True)
    ]
    found, plain = attention_loss(s, t), attention_loss(s, t, squared=False)
    assert found.item() == pytest.approx(sum(squares) / (faces * h * w), rel=1e-4, abs=1e-6)
    expected = sum(map(math.sqrt, squares)) / faces
    assert plain.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("squared", [True, False])
def test_the_teachers_attention_can_be_kept(squared):
    g = torch.Generator().manual_seed(0)
    s, t = torch.randn(3, 4, 2, 3, generator=g), torch.randn(3, 5, 2, 3, generator=g)
    kept = attention_map(t)
    assert kept.shape == (3, 6)
    expected = attention_loss(s, t, squared=squared)
    for student in (s, attention_map(s)):
        torch.testing.assert_close(attention_loss(student, kept, squared=squared), expected)
    # In half precision, lengths are off by up to 1 in 256; they are made 1 again.
    half = attention_loss(s, (3 * kept).bfloat16(), squared=squared)
    torch.testing.assert_close(half, expected, rtol=0.02, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_neither_scale_nor_sign_nor_the_order_of_channels_matters(seed, scale):
    g = torch.Generator().manual_seed(seed)
    s, t = torch.randn(2, 4, 3, 3, generator=g), torch.randn(2, 5, 3, 3, generator=g)
    same = -scale * s[:, torch.randperm(4, generator=g)]
    torch.testing.assert_close(attention_loss(same, t), attention_loss(s, t))
    torch.testing.assert_close(attention_map(torch.cat([s, s], 1)), attention_map(s))
    assert attention_loss(same, s, squared=False).item() == pytest.approx(0, abs=1e-5)


def test_a_blank_map_looks_nowhere():
    maps = torch.zeros(1, 2, 2, 2, requires_grad=True)
    loss = attention_loss(maps, torch.ones(1, 2, 2, 2), squared=False)
    loss.backward()
    assert loss.item() == 1 and not maps.grad.any()


def test_layers_of_different_resolution_are_refused():
    with pytest.raises(ValueError, match="must have the same H x W: choose"):  # both have 6 cells
        attention_loss(torch.ones(1, 2, 2, 3), torch.ones(1, 2, 3, 2))
    with pytest.raises(ValueError, match="must be matrices of the same shape"):
        attention_loss(torch.ones(1, 2, 2, 3), torch.ones(1, 4))
    with pytest.raises(ValueError, match="must be matrices of the same shape"):
        attention_loss(torch.ones(2, 2, 2, 3), torch.ones(1, 2, 2, 3))
    with pytest.raises(ValueError, match="must be B x C x H x W"):
        attention_map(torch.ones(2, 3, 3))
    with pytest.raises(ValueError, match="must be B x C x H x W"):
        attention_loss(torch.ones(2, 2, 3, 3), torch.ones(2, 3, 3))
