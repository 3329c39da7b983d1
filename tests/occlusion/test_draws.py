"""Random numbers of a face: against whole numbers of Python, and independent of its neighbours."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from occkd_lib.occlusion.draws import between, face_keys, pick, uniform
from occkd_lib.randomness import derived_seed

WORD = (1 << 64) - 1
KEYS = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20)


def splitmix(key: int, name: str) -> float:
    """The generator's own code, in Python's unbounded numbers."""
    x = (key + derived_seed(0, f"occluder {name}") + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return ((x ^ (x >> 31)) >> 40) / (1 << 24)


@given(KEYS)
def test_uniform_is_splitmix64(keys):
    assert uniform(torch.tensor(keys), "size").tolist() == [splitmix(k, "size") for k in keys]


@given(KEYS, st.randoms())
def test_a_face_has_its_number_in_any_company_and_order(keys, random):
    every = uniform(torch.tensor(keys), "size").tolist()
    alone = [uniform(torch.tensor([key]), "size").item() for key in keys]
    order = list(range(len(keys)))
    random.shuffle(order)
    mixed = uniform(torch.tensor([keys[i] for i in order]), "size").tolist()
    assert every == alone and mixed == [every[i] for i in order]


def test_keys_are_of_the_names_alone():
    keys = face_keys(["a.png", "b.png", "a.png"])
    assert keys.dtype == torch.int64 and keys[0] == keys[2] != keys[1]
    assert torch.equal(face_keys(["b.png"]), keys[1:2])
    assert len(face_keys(map(str, range(5000))).unique()) == 5000
    assert len(face_keys([])) == 0


def test_numbers_are_spread_and_streams_apart():
    keys = face_keys(map(str, range(20_000)))
    one, other = uniform(keys, "size"), uniform(keys, "tilt")
    assert one.min() >= 0 and one.max() < 1
    counts = torch.histc(one, 20, 0, 1)
    assert ((counts - 1000) ** 2 / 1000).sum() < 45, "chi-squared, 19 degrees of freedom"
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.03


def test_between_and_pick():
    keys = face_keys(map(str, range(8000)))
    values = between(keys, "size", -2.0, 6.0)
    assert values.shape == (8000, 1, 1, 1) and values.min() >= -2 and values.max() < 6
    torch.testing.assert_close(values.flatten(), uniform(keys, "size") * 8 - 2)
    chosen = pick(keys, "kind", (1, 2, 1))
    share = torch.bincount(chosen, minlength=3) / len(keys)
    assert share.tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert set(pick(keys, "kind", (0, 1)).tolist()) == {1}
