"""load_faces: what it offers, where it looks, what it says when something is wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.data import (
    DATA_SETS,
    VOCABULARIES,
    DataSet,
    DataSettings,
    FaceSet,
    data_root,
    data_set,
    load,
    load_faces,
    load_once,
    parse_data,
)
from occkd_lib.data.readers.ferplus import FerPlusSettings
from occkd_lib.data.readers.synthetic import SyntheticSettings
from occkd_lib.errors import OcckdError
from occkd_lib.tasks import TASKS


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No data, no project: nothing of this machine can be found."""
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    monkeypatch.delenv("OCCKD_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("fer", {"task": "age"}, "no data set 'fer'"),
        ("utkfaces", {"task": "age"}, "did you mean 'utkface'?"),
        ("utkface", {"task": "expression"}, "no task 'expression': choose gender or age"),
        ("ferplus", {"task": "age", "labels": "majority"}, "no task 'age': choose expression"),
        ("synthetic", {"task": "mood"}, "choose expression or gender or age"),
        (
            "ferplus",
            {"task": "expression"},
            "data set 'ferplus': labels must be given: one of 'majority', 'crossentropy', "
            "'probability', 'multi_target'",
        ),
        ("ferplus", {"task": "expression", "labels": "most"}, "labels: Input should be 'majority'"),
        (
            "utkface",
            {"task": "age", "labels": "majority"},
            "data set 'utkface': labels: there is no such setting; it takes name, called",
        ),
        ("synthetic", {"task": "age", "labels": "majority"}, "labels: there is no such setting"),
        ("affectnet", {"task": "age"}, "affectnet has no task 'age': choose expression"),
        ("rafdb", {"task": "expression", "labels": "majority"}, "labels: there is no such"),
        ("utkface", {"task": "age", "faces": 100}, "faces: there is no such setting"),
        ("synthetic", {"task": "age", "faces": 59}, "faces: Input should be greater than or"),
        ("synthetic", {"task": "age", "face": 90}, "no such setting: did you mean 'faces'?"),
        ("affectnet", {"task": "expression", "classes": 6}, "classes: Input should be 7 or 8"),
        ("ferplus", {"task": "expression", "labels": "majority", "split_seed": 1}, "split_seed: "),
        ("tests.nowhere:DATA_SET", {"task": "age"}, "'tests.nowhere:DATA_SET' cannot be imported"),
        ("occkd_lib.data:SPLITS", {"task": "age"}, "'occkd_lib.data:SPLITS' is no DataSet"),
    ],
)
def test_what_is_not_offered(name, options, wanted):
    with pytest.raises(OcckdError) as caught:
        load_faces(name, **options)
    assert wanted in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "task", "labels", "layout"),
    [
        ("ferplus", "expression", "majority", "FER2013Train/"),
        ("utkface", "age", None, "[age]_[gender]_[race]_[date].jpg.chip.jpg"),
        ("affectnet", "expression", None, "annotations/N_exp.npy"),
        ("rafdb", "expression", None, "Image/aligned/train_NNNNN_aligned.jpg"),
    ],
)
def test_missing_data(nowhere, name, task, labels, layout):
    with pytest.raises(OcckdError) as caught:
        load_faces(name, task=task, labels=labels, root=nowhere / "nothing")
    message = str(caught.value)
    assert "is missing" in message and str(nowhere / "nothing") in message
    assert "://" in message and layout in message and "\n" not in message


def test_data_root(nowhere, monkeypatch):
    work, project = nowhere / "work", nowhere / "project"
    assert data_root() == work / "data"  # where it would be
    (project / "data").mkdir(parents=True)
    assert data_root() == project / "data"
    (work / "data").mkdir()
    assert data_root() == work / "data"
    monkeypatch.setenv("OCCKD_DATA", "faces")
    (project / "faces").mkdir()
    assert data_root() == project / "faces"
    assert data_root("other") == work / "other"
    assert data_root(nowhere / "x") == nowhere / "x"


def test_synthetic():
    faces = load_faces("synthetic", task="gender", faces=60, split_seed=1)
    assert len(faces) == 60 and faces.task == "gender" and faces.label_rule is None
    again = load_faces("synthetic", task="gender", faces=60, split_seed=1)
    assert torch.equal(again.images, faces.images)
    other = load_faces("synthetic", task="gender", faces=60, split_seed=2)
    assert not torch.equal(other.images, faces.images)


# --- what a recipe says ---------------------------------------------------------------------


def test_settings_are_those_of_the_data_set():
    settings = parse_data({"name": "ferplus", "labels": "majority", "split_seed": None})
    assert settings == FerPlusSettings(labels="majority") and settings.name == "ferplus"
    assert parse_data({"name": "synthetic"}) == SyntheticSettings(faces=3000, split_seed=0)
    assert len({settings, FerPlusSettings(labels="majority")}) == 1  # can be a key


@pytest.mark.parametrize("raw", [None, [], "ferplus", {}, {"name": 3}, {"labels": "majority"}])
def test_a_recipe_must_name_a_data_set(raw):
    with pytest.raises(ValueError, match="write a mapping with a name, one of synthetic, ferplus"):
        parse_data(raw)


@pytest.mark.parametrize("raw", [{"name": "synthetic", 3: 4}, {"name": "x"}, {"name": "a:b:c"}])
def test_any_other_error_is_one_line_too(raw):
    with pytest.raises(ValueError, match=".") as caught:
        parse_data(raw)
    assert "\n" not in str(caught.value)


PUBLISHED = [known for known in DATA_SETS.values() if known.name != "folder"]


@pytest.mark.parametrize("known", PUBLISHED, ids=lambda known: known.name)
def test_what_a_data_set_says_without_reading(known):
    """No data are here, and yet costs, classes and outputs of every task are known."""
    for options in known.options:
        settings = parse_data({"name": known.name, **options})
        train, val = known.sizes(settings)
        assert train > val >= 0 and (val > 0) == known.has_validation(settings)
        published = known.published(settings)
        assert len(published) in (0, 2, 3)
        if published:
            assert published[0] == (train if len(published) == 3 else train + val)
        for task in known.tasks:
            classes = known.classes_of(settings, task)
            assert classes in VOCABULARIES.values() and TASKS[task].outputs(classes) >= 1
            assert (classes == ()) == TASKS[task].continuous
    assert known.find is None or (known.source and known.layout)


def test_faces_know_what_training_must_know_of_their_labels():
    faces = load_faces("synthetic", task="expression", faces=60)
    assert faces.vocabulary == "ferplus8" and faces.classes == VOCABULARIES["ferplus8"]
    assert faces.loss is None and not faces.sample_labels and faces.published == ()


def test_faces_are_loaded_once_until_the_data_change(nowhere, monkeypatch):
    settings = parse_data({"name": "synthetic", "faces": 60})
    first = load_once(settings, "age")
    assert load_once(parse_data({"name": "synthetic", "faces": 60}), "age") is first
    assert load_once(settings, "gender") is not first
    for name in ("a", "b"):
        folder = nowhere / name / "UTKFace"
        folder.mkdir(parents=True)
        for i in range(10 if name == "a" else 11):
            blocks = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(blocks).resize((20, 20)).save(folder / f"{i}_0_0_1.jpg.chip.jpg")
    settings = parse_data({"name": "utkface"})
    monkeypatch.setenv("OCCKD_DATA", str(nowhere / "a"))
    faces = load_once(settings, "age")
    assert len(faces) == 10 and load_once(settings, "age") is faces
    monkeypatch.setenv("OCCKD_DATA", str(nowhere / "b"))
    assert len(load_once(settings, "age")) == 11
    (folder / "10_0_0_1.jpg.chip.jpg").unlink()
    assert len(load_once(settings, "age")) == 10


# --- a user's own data set ------------------------------------------------------------------


class ToySettings(DataSettings):
    count: int


def toy_faces(path, settings, task, cache):
    n = settings.count
    return FaceSet(
        name="toy",
        task=task,
        classes=("round", "square"),
        images=torch.zeros(n, 1, 16, 16, dtype=torch.uint8),
        targets=torch.arange(n) % 2,
        ids=np.arange(n).astype(str),
        splits=np.array(["train", "val", "test"])[np.arange(n) % 3],
    )


TOY = DataSet(
    name="toy",
    title="toys",
    tasks=("category",),
    settings=ToySettings,
    load=toy_faces,
    classes=lambda settings, task: ("round", "square"),
)


def test_a_data_set_of_ones_own(nowhere, monkeypatch):
    (nowhere / "work" / "toy_data.py").write_text("import pytest\n\nDATA_SET = pytest.TOY\n")
    monkeypatch.setattr(pytest, "TOY", TOY, raising=False)
    monkeypatch.syspath_prepend(str(nowhere / "work"))
    name = "toy_data:DATA_SET"
    assert data_set(name) is TOY
    settings = parse_data({"name": name, "count": 6})
    assert settings == ToySettings(name=name, count=6)
    faces = load(settings, "category")
    assert faces.name == "toy" and faces.vocabulary == "own" and len(faces.split("val")) == 2
    assert not faces.duplicate_of_train.any() and not faces.near_copy_of_train.any()
    assert TOY.sizes(settings) is None and TOY.published(settings) == ()
    assert TOY.classes_of(settings, "category") == ("round", "square")
    with pytest.raises(ValueError, match="count must be given"):
        parse_data({"name": name})


def test_an_error_with_a_line_break_becomes_one_line(monkeypatch):
    def fails(path, settings, task, cache):
        raise OSError("two\nlines")

    monkeypatch.setitem(DATA_SETS, "toy", replace(TOY, load=fails))
    with pytest.raises(OcckdError, match="^two lines$"):
        load_faces("toy", task="category", count=3)
