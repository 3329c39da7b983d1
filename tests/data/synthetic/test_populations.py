"""Two collections of drawn faces: other people, other pictures, the same labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from occkd_lib.data import EXPRESSIONS, load_faces
from occkd_lib.data.synthetic.drawing import draw
from occkd_lib.data.synthetic.people import STUDIO, describe, draw_all
from occkd_lib.data.synthetic.populations import POPULATIONS

STREET = POPULATIONS["street"]


@pytest.fixture(scope="module")
def described():
    """1,000 people and their table, of either collection."""
    return {k: describe(1000, np.random.default_rng(0), of) for k, of in POPULATIONS.items()}


@pytest.fixture(scope="module")
def loaded():
    """The same of the data set: streams and all."""
    return [
        load_faces("synthetic", task="gender", faces=400, population=name, cache=False)
        for name in POPULATIONS
    ]


def test_street_is_younger_and_darker_but_has_every_age(described):
    (studio, old), (street, young) = described["studio"], described["street"]
    assert old.age.mean() == pytest.approx(1 + 89 * 1.3 / 3, abs=2)
    assert young.age.mean() == pytest.approx(1 + 89 * 1.6 / 5.2, abs=2)
    assert young.age.min() < 5 and young.age.max() > 70
    assert studio.skin.mean() - street.skin.mean() > 0.08


def test_street_is_photographed_otherwise(described):
    studio, street = described["studio"][0], described["street"][0]
    for name in ("roll", "yaw", "shift_x", "shift_y", "light_x"):
        assert np.abs(getattr(street, name)).mean() > 1.4 * np.abs(getattr(studio, name)).mean()
    assert street.zoom.max() < studio.zoom.min()
    assert street.blur.max() <= studio.blur.min()
    assert street.background.mean() < studio.background.mean() - 0.1
    assert not studio.haze.any() and street.haze.min() >= 0.1


def test_expressions_are_as_frequent_as_stated(described):
    counts = {k: np.bincount(t.expression, minlength=8) for k, (_, t) in described.items()}
    assert counts["studio"].tolist() == [125] * 8
    assert counts["street"].tolist() == [200, 200, 100, 150, 100, 100, 50, 100]
    for _, table in described.values():
        assert table.gender.sum() == 500


def test_a_label_means_the_same_in_both(described):
    """What is shown, and what gender and age do to a face, follows the same rules."""
    for people, table in described.values():
        smile = 0.5 * (people.AU12L + people.AU12R)
        happy = table.expression == EXPRESSIONS.index("happiness")
        assert smile[happy].mean() == pytest.approx(0.68, abs=0.06)
        assert np.corrcoef(people.old_low, table.age.clip(18, 86))[0, 1] > 0.9
        assert not people.beard[table.gender == 1].any()


def test_both_have_the_same_classes_and_ids_but_other_people(loaded):
    studio, street = loaded
    assert studio.classes == street.classes and (studio.ids == street.ids).all()
    # of 400 people, what is drawn with one stream would agree in all, or nearly all
    assert (studio.splits == street.splits).mean() < 0.6
    for label in ("gender", "age", "expression"):
        assert abs(np.corrcoef(studio.table[label], street.table[label])[0, 1]) < 0.2
    assert (studio.images != street.images).flatten(1).any(1).all()


def test_the_grain_is_another():
    people, _ = describe(40, np.random.default_rng(0))
    drawn = [draw_all(people, 40, 0, 48, of) for of in (STUDIO, replace(STUDIO, stream=(1,)))]
    assert (drawn[0] != drawn[1]).reshape(40, -1).any(1).all()


def test_no_picture_of_the_street_is_blank_or_washed_out(loaded):
    pixels = loaded[1].images.float()
    assert pixels.mean((1, 2, 3)).min() > 25 and pixels.mean((1, 2, 3)).max() < 235
    assert pixels.flatten(1).std(1).min() > 12


def test_no_tilted_face_is_cut(described):
    """Parts are painted within boxes; these are wide enough for the pose of the street."""
    people = described["street"][0]
    silence = np.zeros((1000, 1, 48, 48), np.float32)
    boxed, free = (draw(people, 48, silence, reach) for reach in (STREET.reach, 2.0))
    assert np.array_equal(boxed, free)
    assert not np.array_equal(draw(people, 48, silence, STUDIO.reach), free)


def test_a_linear_rule_of_one_collection_is_worse_on_the_other():
    """Not so bad as guessing, though: smiles of one are smiles of the other."""
    sets = [
        load_faces("synthetic", task="expression", faces=800, population=name, cache=False)
        for name in POPULATIONS
    ]
    pair = [EXPRESSIONS.index(name) for name in ("neutral", "surprise")]
    parts = []
    for faces in sets:
        shown = torch.isin(faces.targets, torch.tensor(pair))
        pixels = faces.images[shown].double().mean(1).flatten(1)
        pixels = (pixels - pixels.mean(1, keepdim=True)) / pixels.std(1, keepdim=True)
        train = torch.from_numpy(faces.splits == "train")[shown]
        parts.append((pixels, (faces.targets[shown] == pair[0]).double() * 2 - 1, train))
    for here, there in ((0, 1), (1, 0)):
        x, sign, train = parts[here]
        mean = x[train].mean(0)
        kernel = (x[train] - mean) @ (x[train] - mean).T
        weights = torch.linalg.solve(kernel + 1000 * torch.eye(len(kernel)), sign[train])
        rule = (x[train] - mean).T @ weights
        within = ((x[~train] - mean) @ rule * sign[~train] > 0).double().mean()
        across = ((parts[there][0] - mean) @ rule * parts[there][1] > 0).double().mean()
        assert 0.5 < across < within - 0.05
