"""The built-in faces as a data set: reproducible, complete, drawn once."""

from typing import get_args

import pytest
import torch

from occkd_lib.config import Experiment
from occkd_lib.data import EXPRESSIONS, GENDERS, load, load_faces, parse_data
from occkd_lib.data.readers.synthetic import SyntheticSettings
from occkd_lib.data.synthetic.populations import POPULATIONS
from occkd_lib.errors import OcckdError


def draw(n, task, seed, cache=False):
    return load_faces("synthetic", task=task, faces=n, split_seed=seed, cache=cache)


@pytest.fixture(scope="module")
def faces():
    return draw(100, "expression", 3)


def test_shapes_types_and_names(faces):
    assert faces.name == "synthetic" and faces.classes == EXPRESSIONS
    assert faces.images.shape == (100, 3, 48, 48) and faces.images.dtype == torch.uint8
    assert faces.targets.dtype == torch.int64
    assert (faces.ids[0], faces.ids[99]) == ("synthetic-000000", "synthetic-000099")
    assert not faces.duplicate_of_train.any()
    assert [len(faces.split(name)) for name in ("train", "val", "test")] == [60, 20, 20]


def test_the_same_seed_draws_the_same_faces(faces):
    again = draw(100, "expression", 3)
    assert torch.equal(again.images, faces.images)
    assert again.fingerprint() == faces.fingerprint()


def test_another_seed_draws_other_faces_and_splits(faces):
    other = draw(100, "expression", 4)
    assert (other.images != faces.images).flatten(1).any(1).all()
    assert (other.splits != faces.splits).any()


def test_one_drawing_serves_all_tasks(faces):
    gender, age = (draw(100, task, 3) for task in ("gender", "age"))
    for other in (gender, age):
        assert torch.equal(other.images, faces.images)
        assert (other.splits == faces.splits).all()
        assert other.table.equals(faces.table)
    assert gender.classes == GENDERS and gender.targets.dtype == torch.int64
    assert age.classes == () and age.targets.dtype == torch.float32
    assert (gender.targets.numpy() == faces.table.gender).all()
    assert (age.targets.numpy() == faces.table.age).all()


def test_drawing_in_chunks_changes_nothing(faces, monkeypatch):
    monkeypatch.setattr("occkd_lib.data.synthetic.people.CHUNK", 7)
    assert torch.equal(draw(100, "expression", 3).images, faces.images)


def test_pictures_are_drawn_once(outputs, monkeypatch):
    plain = draw(60, "age", 5).images
    first = draw(60, "age", 5, cache=True).images

    def draws_again(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr("occkd_lib.data.synthetic.people.draw_all", draws_again)
    kept = draw(60, "gender", 5, cache=True).images
    assert torch.equal(plain, first) and torch.equal(plain, kept)
    with pytest.raises(AssertionError, match="drawn again"):
        draw(60, "age", 6, cache=True)


def test_a_damaged_cache_is_drawn_again(outputs):
    first = draw(60, "age", 5, cache=True).images.clone()
    (path,) = (outputs / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(draw(60, "age", 5, cache=True).images, first)


def test_the_faces_of_the_demo_are_those_of_the_first_edition():
    """Published results rest on them: neither their pixels nor their splits may change."""
    assert draw(300, "expression", 0).fingerprint() == "c8e1094f5d2e89d2"


def test_the_default_population_is_that_of_before_there_were_two():
    """Fingerprints and protocol as they were; 100 faces, so that every picture counts."""
    before = {
        "expression": "5348aa5ed52c3fc9",
        "gender": "8dc38578030e08af",
        "age": "8e466951efc01fd9",
    }
    for task, known in before.items():
        assert draw(100, task, 3).fingerprint() == known
    content = {"name": "synthetic", "called": None, "faces": 3000, "split_seed": 0}
    for chosen in ({}, {"population": "studio"}, {"population": None}):
        settings = parse_data({"name": "synthetic", **chosen})
        assert settings.model_dump(mode="json") == content
    street = parse_data({"name": "synthetic", "population": "street"})
    assert street.model_dump(mode="json") == {**content, "population": "street"}


def test_the_other_population_in_a_recipe():
    other = {"name": "synthetic", "faces": 60, "called": "other_faces", "population": "street"}
    experiment = Experiment.model_validate(
        {
            "data": {"name": "synthetic", "faces": 60},
            "test_on": [other],
            "task": "gender",
            "network": {"name": "compact", "width": 4, "input_size": 48, "channels": 1},
            "stages": {"teacher": {"epochs": 1, "lr": 0.1, "optimizer": "adamw"}},
        }
    )
    again = Experiment.model_validate(experiment.model_dump(mode="json"))
    for (settings,) in (experiment.test_on, again.test_on):
        assert settings.population == "street"
        faces = load(settings, "gender", cache=False)
        assert faces.name == "other_faces" and len(faces) == 60
    (twin,) = again.varied({"test_on": [{**other, "population": None}]}).test_on
    assert twin.population == "studio"


def test_an_unknown_population():
    with pytest.raises(OcckdError, match="population: Input should be 'studio' or 'street'"):
        load_faces("synthetic", task="age", population="beach")


def test_every_population_can_be_chosen():
    choices = SyntheticSettings.model_fields["population"].annotation
    assert set(get_args(choices)) == set(POPULATIONS)


def test_populations_are_cached_apart_and_seeds_count_in_each(outputs):
    def street(seed):
        return load_faces("synthetic", task="age", faces=60, split_seed=seed, population="street")

    studio, first = draw(60, "age", 5, cache=True), street(5)
    assert not torch.equal(studio.images, first.images)
    assert torch.equal(street(5).images, first.images)
    assert street(5).fingerprint() == first.fingerprint() != street(6).fingerprint()
    assert (street(6).images != first.images).flatten(1).any(1).all()
