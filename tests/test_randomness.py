"""Streams are told apart by seed, name and epoch, and nothing else."""

import torch

from occkd_lib.randomness import derived_seed, stream


def test_the_same_stream_is_the_same():
    assert derived_seed(0, "order", 3) == derived_seed(0, "order", 3)
    first, again = (torch.rand(5, generator=stream(1, "x")) for _ in range(2))
    assert torch.equal(first, again)


def test_no_two_streams_are_alike():
    keys = [(s, n, e) for s in range(20) for n in ("order", "flips", "pools") for e in range(20)]
    seeds = [derived_seed(*key) for key in keys]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_pools_know_nothing_of_the_order():
    """Drawn from one seed they would begin alike: 98 % of a pool was the epoch's own order."""
    order = torch.randperm(1000, generator=stream(0, "order", 0))[:100]
    pool = torch.randperm(1000, generator=stream(0, "pools", 0))[:100]
    assert len(set(order.tolist()) & set(pool.tolist())) < 30
