"""Choices that depend on seed and names alone (see also the readers' own tests)."""

import numpy as np

from occkd_lib.data.splits import hold_out, three_ways, units_of


def test_units():
    units, first, sizes = units_of(np.array([-1, 4, -1, 4, 2]))
    assert units.tolist() == [0, 1, 2, 1, 3]
    assert first.tolist() == [0, 1, 2, 4] and sizes.tolist() == [1, 2, 1, 1]


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(0)
    names = np.array([f"{i}.jpg" for i in range(200)])
    groups = np.where(rng.random(200) < 0.3, np.arange(200) // 3, -1)
    splits = three_ways(names, groups, 1)
    order = np.arange(200)[::-1]
    alone = groups < 0
    again = three_ways(names[order][alone[order]], groups[order][alone[order]], 1)
    assert np.array_equal(again[::-1], three_ways(names[alone], groups[alone], 1))
    assert set(splits) == {"train", "val", "test"}


def test_a_group_counts_with_its_first_class():
    names, classes = np.array(list("abcdef")), np.array([0, 1, 0, 0, 1, 1])
    held = hold_out(names, classes, np.array([5, 5, -1, -1, -1, -1]), 0.5, 0)
    assert held[0] == held[1]


def test_sizes_are_60_20_20_and_groups_stay_together():
    names = np.array([f"{i}.jpg" for i in range(1000)])
    groups = np.where(np.arange(1000) < 90, np.arange(1000) // 3, -1)
    splits = three_ways(names, groups, 0)
    counts = {split: int((splits == split).sum()) for split in ("train", "val", "test")}
    assert abs(counts["train"] - 600) <= 3 and abs(counts["val"] - 200) <= 3
    assert all(len(set(splits[groups == g])) == 1 for g in range(30))


def test_a_held_out_group_is_held_out_whole():
    """Twenty faces in pairs: the flag of a pair belongs to its two faces, wherever they stand."""
    names = np.array([f"{i}.jpg" for i in range(20)])
    beside, apart = np.repeat(np.arange(10), 2), np.tile(np.arange(10), 2)
    for groups in (beside, apart):
        held = hold_out(names, np.zeros(20, dtype=int), groups, 0.4, 3)
        assert held.sum() == 8
        assert all(len(set(held[groups == group])) == 1 for group in range(10))
