"""The miner against the paper's loop over anchors, one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.mining import (
    Triplets,
    mine_hard_triplets,
    mine_own_triplets,
    mine_random_triplets,
    mine_semi_hard_triplets,
)

MINERS = (mine_hard_triplets, mine_random_triplets)


def loop(student, teacher, targets, triplets, gap):
    """Eq. 6 and 7, literally: one anchor at a time, over the same pools."""
    positive, negative = [], []
    for a in range(len(targets)):

        def belongs(j, a=a):
            if gap is None:
                return targets[a] == targets[j]
            return abs(targets[a] - targets[j]) < gap

        same = [j for j in triplets.positive_pool.tolist() if belongs(j)]
        other = [j for j in triplets.negative_pool.tolist() if not belongs(j)]
        far = torch.stack([(student[a] - teacher[j]).square().sum() for j in same])
        near = torch.stack([(student[a] - student[j]).square().sum() for j in other])
        positive.append(same[int(far.argmax())])
        negative.append(other[int(near.argmin())])
    return torch.tensor(positive), torch.tensor(negative)


def embeddings(seed, n, d=16):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(n, d, generator=generator)
    return student, student + torch.randn(n, d, generator=generator)


def check_valid(triplets, targets, gap=None):
    distance = (targets - targets[triplets.positive]).abs()
    assert (distance == 0).all() if gap is None else (distance < gap).all()
    distance = (targets - targets[triplets.negative]).abs()
    assert (distance > 0).all() if gap is None else (distance >= gap).all()
    assert torch.isin(triplets.positive, triplets.positive_pool).all()
    assert torch.isin(triplets.negative, triplets.negative_pool).all()


@given(st.integers(0, 10**6), st.integers(6, 60), st.integers(2, 5), st.sampled_from([0.1, 0.5, 1]))
@settings(max_examples=40, deadline=None)
def test_equals_the_loop_for_labels(seed, n, classes, fraction):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = embeddings(seed, n)
    targets = torch.randint(0, classes, (n,), generator=generator)
    targets[:2] = torch.tensor([0, 1])
    triplets = mine_hard_triplets(student, teacher, targets, fraction=fraction, generator=generator)
    check_valid(triplets, targets)
    positive, negative = loop(student, teacher, targets, triplets, None)
    assert torch.equal(triplets.positive, positive)
    assert torch.equal(triplets.negative, negative)


@given(st.integers(0, 10**6), st.integers(6, 60), st.sampled_from([0.1, 0.2, 1]))
@settings(max_examples=40, deadline=None)
def test_equals_the_loop_for_ages(seed, n, fraction):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = embeddings(seed, n)
    ages = torch.randint(0, 90, (n,), generator=generator).float()
    ages[:2] = torch.tensor([1.0, 95.0])
    triplets = mine_hard_triplets(
        student, teacher, ages, fraction=fraction, max_target_gap=5, generator=generator
    )
    check_valid(triplets, ages, 5)
    positive, negative = loop(student, teacher, ages, triplets, 5)
    assert torch.equal(triplets.positive, positive)
    assert torch.equal(triplets.negative, negative)


def test_by_hand():
    student = torch.tensor([[0.0], [1.0], [5.0], [7.0]])
    teacher = torch.tensor([[0.0], [9.0], [5.0], [-7.0]])
    triplets = mine_hard_triplets(student, teacher, torch.tensor([0, 0, 1, 1]), fraction=1.0)
    assert triplets.positive.tolist() == [1, 1, 3, 3]  # farthest teacher embedding of the class
    assert triplets.negative.tolist() == [2, 2, 1, 1]  # nearest student embedding of the other


def test_age_four_years_apart_is_a_positive_and_five_is_a_negative():
    ages = torch.tensor([20.0, 24.0, 25.0, 60.0])
    student = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    triplets = mine_hard_triplets(student, student, ages, fraction=1.0, max_target_gap=5)
    assert triplets.positive[0] == 1
    assert triplets.negative[0] == 2


@pytest.mark.parametrize("miner", MINERS)
def test_a_class_with_one_member_is_its_own_positive(miner):
    student, teacher = embeddings(3, 20)
    targets = torch.zeros(20, dtype=torch.int64)
    targets[7] = 1
    generator = torch.Generator().manual_seed(0)
    triplets = miner(student, teacher, targets, fraction=0.1, generator=generator)
    check_valid(triplets, targets)
    assert triplets.positive[7] == 7
    assert (triplets.negative[targets == 0] == 7).all()


def test_the_first_of_identical_faces_wins():
    student, teacher = embeddings(5, 12)
    student[8:], teacher[8:] = student[4:8].clone(), teacher[4:8].clone()
    targets = torch.tensor([0, 1, 0, 1] * 3)
    triplets = mine_hard_triplets(student, teacher, targets, fraction=1.0)
    assert (triplets.positive < 8).all()
    assert (triplets.negative < 8).all()


@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize("gap", [None, 5])
def test_same_seed_same_triplets(miner, gap):
    student, teacher = embeddings(1, 50)
    targets = torch.arange(50) * 2 % (100 if gap else 4)
    first, second, third = (
        miner(
            student, teacher, targets, fraction=0.2, max_target_gap=gap,
            generator=torch.Generator().manual_seed(seed),
        )
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert isinstance(first, Triplets)
    check_valid(first, targets, gap)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first.positive_pool, third.positive_pool)


def test_pools_are_stratified():
    student, teacher = embeddings(0, 1000, 4)
    targets = torch.tensor([0] * 890 + [1] * 100 + [2] * 10)
    triplets = mine_hard_triplets(student, teacher, targets, fraction=0.1)
    assert targets[triplets.positive_pool].bincount().tolist() == [89, 10, 1]
    assert targets[triplets.negative_pool].bincount().tolist() == [89, 10, 1]


@pytest.mark.parametrize(
    ("targets", "gap"), [(torch.zeros(4), None), (torch.tensor([1.0, 2, 3, 4]), 5)]
)
def test_without_negatives_there_is_nothing_to_mine(targets, gap):
    student, teacher = embeddings(0, 4)
    with pytest.raises(ValueError, match="no negatives"):
        mine_hard_triplets(student, teacher, targets, fraction=1.0, max_target_gap=gap)


def test_a_face_without_a_possible_negative_is_named():
    student, teacher = embeddings(0, 3)
    ages = torch.tensor([20.0, 24.0, 28.0])
    with pytest.raises(ValueError, match="face 1"):
        mine_hard_triplets(student, teacher, ages, fraction=1.0, max_target_gap=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"teacher_embeddings": torch.zeros(6, 3)}, "alike"),
        ({"targets": torch.tensor([0, 1])}, "rows"),
    ],
)
def test_wrong_arguments(change, message):
    arguments = {
        "student_embeddings": torch.zeros(6, 4),
        "teacher_embeddings": torch.zeros(6, 4),
        "targets": torch.tensor([0, 1, 0, 1, 0, 1]),
        "fraction": 0.5,
    }
    with pytest.raises(ValueError, match=message):
        mine_hard_triplets(**{**arguments, **change})


@pytest.mark.parametrize("mine", [mine_hard_triplets, mine_random_triplets])
def test_every_age_finds_a_negative_however_small_the_pool(mine):
    """Of ages 3, 4, 8, 9 a pool of 4 and 8 alone would have no negative for either of them."""
    ages = torch.tensor([3.0, 4.0, 8.0, 9.0]).repeat(5)
    embeddings = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        mined = mine(
            embeddings, embeddings, ages, fraction=0.01, max_target_gap=5, generator=generator
        )
        assert ((ages[mined.negative] - ages).abs() >= 5).all()
        assert ((ages[mined.positive] - ages).abs() < 5).all()


@given(st.integers(0, 10**6), st.integers(6, 60), st.sampled_from([0.1, 0.5, 1]))
@settings(max_examples=30, deadline=None)
def test_own_faces_and_semi_hard_negatives_equal_the_loop(seed, n, fraction):
    student, teacher = embeddings(seed, n)
    targets = torch.arange(n) % 3
    own, semi, hard = (
        mine(
            student, teacher, targets, fraction=fraction,
            generator=torch.Generator().manual_seed(seed),
        )
        for mine in (mine_own_triplets, mine_semi_hard_triplets, mine_hard_triplets)
    )  # fmt: skip
    assert own.positive.tolist() == semi.positive.tolist() == list(range(n))
    assert torch.equal(own.negative, hard.negative)
    for i in range(n):
        others = [j for j in semi.negative_pool.tolist() if targets[j] != targets[i]]
        distance = {j: float((student[i] - student[j]).norm()) for j in others}
        reach = float((student[i] - teacher[i]).norm())
        if any(abs(d - reach) < 1e-4 for d in distance.values()):
            continue  # rounding decides which side it is on
        farther = {j: d for j, d in distance.items() if d > reach}
        chosen = distance[int(semi.negative[i])]
        if farther:
            assert chosen == pytest.approx(min(farther.values()), abs=2e-4)
        else:
            assert chosen == pytest.approx(max(distance.values()), abs=2e-4)
