"""A method against itself: every significant difference is a false alarm."""

import numpy as np
import pytest

from occkd_lib.evaluation import compare_over_faces, mcnemar_test
from occkd_lib.results import false_alarms, open_store

from .conftest import made_up_faces, make_recipe, worse, write_run


def test_every_pair_of_seeds_is_tested(outputs):
    """Mistakes on the first 3, 4, 14 faces: of three pairs, two differ by ten or more."""
    recipe = make_recipe("gender")
    for seed, wrong in ((0, 3), (1, 4), (2, 14)):
        write_run(recipe, "gender", seed, "student", wrong)
    write_run(recipe, "gender", 0, "standard", 1)
    table = false_alarms.false_alarms(open_store(recipe), "gender")
    target = made_up_faces("gender", 40)["target"].to_numpy()[40:]
    right = [worse(target, wrong) == target for wrong in (3, 4, 14)]
    p = [mcnemar_test(right[a], right[b]).p for a, b in ((0, 1), (0, 2), (1, 2))]
    assert (np.array(p) < 0.05).tolist() == [False, True, True]
    assert table.to_numpy().tolist() == [["gender", "student", 3, 2, 66.7]]


def test_years_are_tested_by_their_errors(outputs):
    recipe = make_recipe("age")
    for seed, wrong in ((0, 4), (1, 9)):
        write_run(recipe, "age", seed, "student", wrong)
    table = false_alarms.false_alarms(open_store(recipe), "age")
    target = made_up_faces("age", 40)["target"].to_numpy()[40:]
    p = compare_over_faces(target, worse(target, 4), worse(target, 9), "mean_absolute_error").p
    assert table["alarms"].tolist() == [int(p < 0.05)] and table["pairs"].tolist() == [1]


def test_no_section_before_anything_was_trained_twice(outputs):
    recipe = make_recipe("gender")
    assert list(false_alarms.sections(open_store(recipe))) == []
    write_run(recipe, "gender", 0, "student", 3)
    assert list(false_alarms.sections(open_store(recipe))) == []
    write_run(recipe, "gender", 1, "student", 3)
    [section] = false_alarms.sections(open_store(recipe))
    assert section.text["alarms, %"].tolist() == ["0.0"]


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_networks_that_differ_raise_alarms(spread):
    """As in the book: SD between trainings, so many pairs are told apart by their faces."""
    rng, target = np.random.default_rng(0), np.zeros(3000, int)
    rates = 0.8 + spread * rng.normal(size=20)
    said = [np.where(rng.random(3000) < rate, 0, 1) for rate in rates]
    found = [
        mcnemar_test(a == target, b == target).p < 0.05
        for n, a in enumerate(said)
        for b in said[:n]
    ]
    assert (np.mean(found) > 0.3) if spread else (np.mean(found) < 0.1)
