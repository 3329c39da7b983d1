"""What ``occkd data`` tells of a data set."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.data import FaceSet, load_faces
from occkd_lib.data.verify import check, describe, prepare, verify
from occkd_lib.errors import OcckdError

NAMES = [f"{age}_{age % 2}_0_1.jpg.chip.jpg" for age in range(10, 30)]
MALFORMED = "39_1_20170116174525125.jpg.chip.jpg"


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def utkface(tmp_path):
    """Twenty small faces, two of them the same (ages 10 and 11: different labels)."""
    folder = tmp_path / "data" / "UTKFace"
    folder.mkdir(parents=True)
    for i, name in enumerate([*NAMES, MALFORMED]):
        grey = np.full((8, 8, 3), max(i, 1) * 10, np.uint8)
        Image.fromarray(grey).save(folder / name, format="JPEG")
    return folder.parent


def test_check_by_hand():
    values = torch.tensor([1, 1, 2, 3, 1, 3, 4], dtype=torch.uint8)
    faces = FaceSet(
        name="ferplus",
        task="expression",
        classes=("calm", "cross"),
        images=values.view(7, 1, 1, 1).expand(7, 1, 2, 2),
        targets=torch.tensor([0, 0, 1, 1, 1, 1, 0]),
        ids=np.arange(7).astype(str),
        splits=np.array(["train", "train", "train", "val", "test", "test", "test"]),
        duplicate_of_train=np.array([False, False, False, True, True, False, False]),
        near_copy_of_train=np.array([False, False, False, True, True, False, True]),
        label_rule="majority",
        published=(25_045, 3_191, 3_137),
    )
    report = check(faces)
    assert report.counts.to_dict() == {
        "train": {"calm": 2, "cross": 1},
        "val": {"calm": 0, "cross": 1},
        "test": {"calm": 1, "cross": 2},
    }
    assert report.sizes == (3, 1, 3)
    assert report.copies["identical"]["faces"].tolist() == [3, 2]
    assert report.copies["identical"]["splits"].tolist() == [2, 2]
    assert report.copies["identical"]["targets"].tolist() == [2, 1]
    # as the reader says, and as the pixels say: images of one brightness have no near copies
    assert report.in_train == {"identical": {"val": 1, "test": 1}, "near": {"val": 1, "test": 2}}
    assert report.in_kept_train == {kind: {"val": 0, "test": 1} for kind in ("identical", "near")}
    lines = "\n".join(report.lines())
    assert "25,045 / 3,191 / 3,137: NOT the same" in lines
    found = "5 faces in 2 groups, 2 of them across splits, 1 with different labels"
    assert f"  identical pixels: {found}" in lines
    assert f"  near copies (correlation above 0.97): {found}" in lines
    assert (
        "    test faces also among the published train images: 2; in train as used here: 1" in lines
    )
    assert lines.endswith(f"  fingerprint: {faces.fingerprint()}")


def test_check_finds_near_copies(utkface):
    """By the pixels, or as the reader has found them, and with copies planted since."""
    folder = utkface / "UTKFace"
    rng = np.random.default_rng(0)
    for name in NAMES:
        blocks = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        blocks.resize((60, 60)).save(folder / name, format="JPEG", quality=95)
    with Image.open(folder / NAMES[3]) as image:
        image.save(folder / NAMES[7], format="JPEG", quality=30)
    faces = load_faces("utkface", task="age", root=utkface)
    for known in (faces, replace(faces, table=faces.table.drop(columns=["group", "near"]))):
        report = check(known)
        assert len(report.copies["identical"]) == 0
        assert report.copies["near"].to_dict("records") == [{"splits": 1, "targets": 2, "faces": 2}]
    images = faces.images.clone()
    images[:2] = images[2].clone()
    planted = check(replace(faces, images=images))
    assert planted.copies["identical"]["faces"].tolist() == [3]
    assert planted.copies["near"]["faces"].tolist() == [3, 2]


def test_verify_prints_both_tasks(utkface):
    lines = verify("utkface", root=utkface)
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads == ["utkface, gender: 20 faces", "utkface, age: 20 faces"]
    text = "\n".join(lines)
    assert "2 faces in 1 groups, 0 of them across splits" in text
    assert text.count("across splits, 1 with different labels") == 4  # two tasks, two kinds
    assert f"names malformed: 1 ({MALFORMED})" in text
    assert load_faces("utkface", task="age", root=utkface).fingerprint() in text


def test_age_is_counted_in_bands(utkface):
    report = check(load_faces("utkface", task="age", root=utkface))
    assert report.counts.sum(axis=1).to_dict() == {"0-9": 0, "10-19": 10, "20-29": 10}


def test_prepare_and_describe(utkface):
    assert prepare("synthetic") == "synthetic: built in, nothing to prepare"
    line = prepare("utkface", root=utkface)
    assert "gender 12 / 4 / 4, fingerprint" in line and "age 12 / 4 / 4" in line
    (utkface / "ferplus.zip").write_bytes(b"no zip")
    rows = {name: (tasks, where) for name, tasks, where in describe(utkface)}
    assert rows["synthetic"] == ("expression, gender, age", "built in")
    assert rows["utkface"] == ("gender, age", str(utkface / "UTKFace"))
    assert rows["ferplus"][1].startswith("unusable: ")
    (utkface / "ferplus.zip").unlink()
    rows = {name: where for name, _, where in describe(utkface)}
    assert rows["ferplus"].startswith(f"missing in {utkface}: get images (fer2013.csv) from ")
    assert rows["ferplus"].endswith("FERPlus, about 0.3 GB")
    assert rows["folder"] == "your own: data.path names its list"


def test_verify_takes_settings_and_a_task():
    lines = verify("synthetic", task="gender", faces=60)
    assert [line for line in lines if not line.startswith(" ")] == ["synthetic, gender: 60 faces"]
    assert "near copies (correlation above 0.97): 0 faces" in "\n".join(lines)
    with pytest.raises(OcckdError, match="data set 'folder': path must be given"):
        verify("folder")
    with pytest.raises(OcckdError, match="face: there is no such setting: did you mean 'faces'"):
        verify("synthetic", face=60)
