"""Duplicates, reports, and the cache that the decoded faces are kept in."""

import os

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data import FaceSet, load_faces
from occkd_lib.data.cache import Decoding, decode_all, decoded, repeats_of_train
from occkd_lib.data.verify import check, describe, find_duplicates, prepare, verify
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


def test_find_duplicates_numbers_groups_in_order():
    values = np.array([5, 3, 5, 1, 3, 3, 9], np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (7, 1, 4, 4))
    wanted = [0, 1, 0, -1, 1, 1, -1]
    assert find_duplicates(images).tolist() == wanted
    assert find_duplicates(torch.tensor(images.copy())).tolist() == wanted
    assert find_duplicates(images[:0]).tolist() == []
    assert find_duplicates(images[3:]).dtype == np.int64


def test_one_pixel_makes_a_difference():
    images = np.zeros((3, 1, 4, 4), np.uint8)
    images[1, 0, 3, 3] = 1
    assert find_duplicates(images).tolist() == [0, -1, 0]


def test_repeats_of_train():
    groups = np.array([0, 0, 1, 1, -1, -1, 0])
    splits = np.array(["train", "val", "val", "test", "train", "test", "test"])
    wanted = [False, True, False, False, False, False, True]
    assert repeats_of_train(groups, splits).tolist() == wanted


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
        label_rule="majority",
    )
    report = check(faces)
    assert report.counts.to_dict() == {
        "train": {"calm": 2, "cross": 1},
        "val": {"calm": 0, "cross": 1},
        "test": {"calm": 1, "cross": 2},
    }
    assert report.sizes == (3, 1, 3)
    assert report.groups["faces"].tolist() == [3, 2]
    assert report.groups["splits"].tolist() == [2, 2]
    assert report.groups["targets"].tolist() == [2, 1] and report.contradictory == 1
    assert report.in_train == {"val": 1, "test": 1}  # as the reader says
    assert report.in_kept_train == {"val": 0, "test": 1}  # as the pixels say
    assert report.fingerprint == faces.fingerprint()
    lines = "\n".join(report.lines())
    assert "25,045 / 3,191 / 3,137: NOT the same" in lines
    assert "5 faces in 2 groups, 2 of them across splits" in lines


def test_verify_prints_both_tasks(utkface):
    lines = verify("utkface", root=utkface)
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads == ["utkface, gender: 20 faces", "utkface, age: 20 faces"]
    text = "\n".join(lines)
    assert "2 faces in 1 groups, 0 of them across splits" in text
    assert text.count("identical pixels, different label: 1 groups") == 2
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
    assert {r[0]: r[2] for r in describe(utkface)}["ferplus"] == f"missing in {utkface}"


# --- cache ----------------------------------------------------------------------------------


def test_decoded_once(utkface, outputs, monkeypatch):
    first = load_faces("utkface", task="age", root=utkface)
    monkeypatch.setattr("occkd_lib.data.utkface._read", None)  # would fail if it were called
    again = load_faces("utkface", task="age", root=utkface)
    assert torch.equal(again.images, first.images)
    assert again.fingerprint() == first.fingerprint()
    assert again.table.attrs["malformed"] == [MALFORMED]
    assert sorted(p.suffix for p in (outputs / "cache").iterdir()) == [".npy", ".parquet"]


def test_changing_loaded_images_leaves_the_cache_alone(utkface):
    first = load_faces("utkface", task="age", root=utkface)
    before = first.images.clone()
    first.images.zero_()
    assert torch.equal(load_faces("utkface", task="age", root=utkface).images, before)


def test_a_changed_source_is_decoded_anew(utkface):
    assert len(load_faces("utkface", task="age", root=utkface)) == 20
    (utkface / "UTKFace" / NAMES[3]).unlink()
    assert len(load_faces("utkface", task="age", root=utkface)) == 19
    # same name, same size, other time and content
    other = utkface / "UTKFace" / NAMES[4]
    content, size = (utkface / "UTKFace" / NAMES[5]).read_bytes(), other.stat().st_size
    assert len(content) == size
    other.write_bytes(content)
    os.utime(other, ns=(1, 1))
    changed = load_faces("utkface", task="age", root=utkface, cache=True)
    assert changed.table["group"].tolist().count(1) == 2


def test_without_cache_nothing_is_written(utkface, outputs):
    kept = load_faces("utkface", task="age", root=utkface, cache=False)
    assert not outputs.exists()
    mapped = load_faces("utkface", task="age", root=utkface)
    assert torch.equal(mapped.images, kept.images)
    assert mapped.fingerprint() == kept.fingerprint()


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("keep", [0, 60, -5])
def test_damaged_cache_is_rebuilt_with_a_word(utkface, outputs, capsys, suffix, keep):
    whole = load_faces("utkface", task="age", root=utkface).images.clone()
    file = next((outputs / "cache").glob(f"*{suffix}"))
    file.write_bytes(file.read_bytes()[:keep])
    assert torch.equal(load_faces("utkface", task="age", root=utkface).images, whole)
    assert "is damaged" in capsys.readouterr().err
    load_faces("utkface", task="age", root=utkface)
    assert capsys.readouterr().err == ""


def test_full_disk(tmp_path, outputs):
    def chunks():
        yield np.zeros((1, 1, 4, 4), np.uint8)
        raise OSError(28, "No space left on device")

    work = Decoding(pd.DataFrame({"name": ["a", "b"]}), (1, 4, 4), chunks())
    source = tmp_path / "source"
    source.write_text("x")
    with pytest.raises(OcckdError, match="No space left on device.*free space"):
        decoded("small", [source], lambda: work)
    assert list((outputs / "cache").iterdir()) == []


def test_decode_all_keeps_the_order(capsys):
    items = list(range(1000))
    chunks = list(decode_all(items, lambda i: np.full((1, 2, 2), i % 251, np.uint8), "numbers"))
    assert max(len(chunk) for chunk in chunks) <= 64
    assert np.concatenate(chunks)[:, 0, 0, 0].tolist() == [i % 251 for i in items]
    assert capsys.readouterr().err == ""  # no progress bar where there is no terminal
