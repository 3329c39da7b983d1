"""load_faces: what it offers, where it looks, what it says when something is wrong."""

import pytest
import torch

from occkd_lib.data import data_root, load_faces
from occkd_lib.errors import OcckdError


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
        (
            "fer",
            {"task": "age"},
            "no data set 'fer': choose 'synthetic', 'ferplus', 'utkface', 'affectnet' or 'rafdb'",
        ),
        ("utkface", {"task": "expression"}, "no task 'expression': choose 'gender' or 'age'"),
        ("ferplus", {"task": "age", "labels": "majority"}, "no task 'age': choose 'expression'"),
        ("synthetic", {"task": "mood"}, "choose 'expression', 'gender' or 'age'"),
        (
            "ferplus",
            {"task": "expression"},
            "needs a label rule: choose labels='majority', 'crossentropy', 'probability' or "
            "'multi_target'",
        ),
        ("ferplus", {"task": "expression", "labels": "most"}, "has no label rule 'most': choose"),
        ("utkface", {"task": "age", "labels": "majority"}, "takes no label rule"),
        ("synthetic", {"task": "age", "labels": "majority"}, "takes no label rule"),
        ("affectnet", {"task": "age"}, "affectnet has no task 'age': choose 'expression'"),
        ("rafdb", {"task": "expression", "labels": "majority"}, "rafdb takes no label rule"),
        ("utkface", {"task": "age", "faces": 100}, "'faces' is for synthetic only"),
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
