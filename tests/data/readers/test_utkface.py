"""UTKFace: names, containers, the split, every error, and the real names."""

import hashlib
import tarfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data import data_root, load_faces
from occkd_lib.data.readers import utkface
from occkd_lib.data.splits import three_ways
from occkd_lib.errors import OcckdError

MALFORMED = "39_1_20170116174525125.jpg.chip.jpg"
NAMES = [f"{age}_{age % 2}_{age % 5}_2017010{age}.jpg.chip.jpg" for age in range(1, 10)]


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))


def save(path, seed=None, size=(20, 20), mode="RGB"):
    """A JPEG of random blocks; its name seeds them unless ``seed`` is given."""
    rng = np.random.default_rng(list(path.name.encode()) if seed is None else seed)
    image = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    image.resize(size).convert(mode).save(path, format="JPEG")


def write_folder(folder, names=(*NAMES, MALFORMED)):
    folder.mkdir(parents=True)
    for name in names:
        save(folder / name)
    return folder


def load(root, task="age", **options):
    return load_faces("utkface", task=task, root=root, **options)


def error(root, **options):
    with pytest.raises(OcckdError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("100_0_0_20170112213500903.jpg.chip.jpg", (100, 0, 0)),
        ("1_1_4_20161219140623097.jpg.chip.jpg", (1, 1, 4)),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", (24, 0, 1)),  # space
        ("55_0_0_20170116232725357jpg.chip.jpg", (55, 0, 0)),  # no dot
        ("14_0_0_201701102234090.jpg.chip.jpg", (14, 0, 0)),  # short date
        ("0_0_0_1.jpg.chip.jpg", (0, 0, 0)),
        ("120_0_0_1.jpg.chip.jpg", (120, 0, 0)),
        ("121_0_0_1.jpg.chip.jpg", None),
        ("20_2_0_1.jpg.chip.jpg", None),
        ("20_0_5_1.jpg.chip.jpg", None),
        ("20_0_1_.jpg.chip.jpg", None),
        (MALFORMED, None),
        ("61_1_20170109142408075.jpg.chip.jpg", None),
        ("photo.jpg", None),
    ],
)
def test_names(name, wanted):
    assert utkface.parse_name(name) == wanted


def test_folder(tmp_path):
    write_folder(tmp_path / "utkface" / "UTKFace")
    faces = load(tmp_path)
    assert faces.ids.tolist() == NAMES
    assert faces.images.shape == (9, 3, 20, 20)
    assert faces.targets.dtype == torch.float32 and faces.targets.tolist() == list(range(1, 10))
    assert faces.table["ethnicity"].tolist()[:5] == ["Black", "Asian", "Indian", "other", "White"]
    assert faces.table.attrs["malformed"] == [MALFORMED]
    first = np.asarray(Image.open(tmp_path / "utkface" / "UTKFace" / NAMES[0]))
    assert np.array_equal(faces.images[0].numpy(), first.transpose(2, 0, 1))
    gender = load(tmp_path, "gender")
    assert gender.targets.dtype == torch.int64
    assert gender.targets.tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert gender.classes == ("male", "female")


@pytest.mark.parametrize("place", ["UTKFace", "utkface", "faces"])
def test_folder_at_other_places(tmp_path, place):
    folder = write_folder(tmp_path / place)
    assert len(load(folder if place == "faces" else tmp_path)) == 9


@pytest.mark.parametrize("kind", ["", "gz", "xz"])
def test_archive_gives_the_same_faces(tmp_path, kind):
    folder = write_folder(tmp_path / "a" / "UTKFace")
    (tmp_path / "b").mkdir()
    ending = f".{kind}" if kind else ""
    with tarfile.open(tmp_path / "b" / f"utkface_200x200.tar{ending}", f"w:{kind}") as archive:
        for file in sorted(folder.iterdir(), reverse=True):  # the order in a tar means nothing
            archive.add(file, f"UTKFace/{file.name}")
    from_folder, from_tar = load(tmp_path / "a"), load(tmp_path / "b")
    assert from_tar.fingerprint() == from_folder.fingerprint()
    assert torch.equal(from_tar.images, from_folder.images)
    assert from_tar.table.attrs == from_folder.table.attrs


def test_split_sizes_and_seed():
    names = np.array([f"{i}.jpg" for i in range(1000)])
    alone = np.full(1000, -1)
    splits = three_ways(names, alone, 0)
    assert [np.sum(splits == s) for s in ("train", "val", "test")] == [600, 200, 200]
    assert np.array_equal(splits, three_ways(names, alone, 0))
    moved = three_ways(names, alone, 1) != splits
    assert 0.4 < moved.mean() < 0.7  # 1 - (.36 + .04 + .04) = .56 of an independent split
    # the definition itself: any other would give everybody another split
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"0|{name}".encode()).digest())
    assert set(names[splits == "train"]) == set(ranked[:600])
    assert set(names[splits == "test"]) == set(ranked[800:])


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    groups = np.where(rng.random(300) < 0.5, rng.integers(0, 60, 300), -1)
    splits = three_ways(np.array([f"{i}.jpg" for i in range(300)]), groups, 3)
    assert all(len(set(splits[groups == g])) == 1 for g in range(60) if g in groups)
    assert abs(np.sum(splits == "train") - 180) < 15


def test_identical_faces_are_never_parted(tmp_path):
    folder = write_folder(tmp_path / "UTKFace", NAMES)
    for name in NAMES[2:5]:
        save(folder / name, seed=7)
    faces = load(tmp_path)
    assert faces.table["group"].tolist() == [-1, -1, 0, 0, 0, -1, -1, -1, -1]
    for seed in range(5):
        parted = load(tmp_path, split_seed=seed)
        assert len(set(parted.splits[2:5])) == 1
        assert not parted.duplicate_of_train.any()


def test_near_copies_are_never_parted(tmp_path):
    """The same photograph, encoded again, is not the same pixels; it must not be in two splits."""
    folder = write_folder(tmp_path / "UTKFace", NAMES)
    for name in NAMES[3:4]:
        with Image.open(folder / NAMES[2]) as image:
            image.save(folder / name, format="JPEG", quality=60 + NAMES.index(name))
    faces = load(tmp_path)
    assert (faces.table["group"] == -1).all()
    assert faces.table["near"].tolist() == [-1, -1, 0, 0, -1, -1, -1, -1, -1]
    found = set()
    for seed in range(12):
        parted = load(tmp_path, split_seed=seed)
        found |= set(parted.splits[2:4])
        assert len(set(parted.splits[2:4])) == 1
        assert not parted.near_copy_of_train.any()
    assert len(found) > 1


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-200]), "is not a readable image"),
        (lambda p: p.write_bytes(b"no jpeg"), "is not a readable image"),
        (lambda p: p.write_bytes(b""), "is not a readable image"),
        (lambda p: save(p, size=(20, 30)), "has 20x30 pixels, expected 20x20"),
        (lambda p: save(p, mode="L"), "has mode L, expected RGB"),
    ],
)
@pytest.mark.parametrize("container", ["folder", "tar.xz"])
def test_damaged_image(tmp_path, change, wanted, container):
    folder = write_folder(tmp_path / "a" / "UTKFace")
    change(folder / NAMES[4])
    root = tmp_path / "a"
    if container != "folder":
        root = tmp_path / "b"
        root.mkdir()
        with tarfile.open(root / "utkface.tar.xz", "w:xz") as archive:
            archive.add(folder, "UTKFace")
    message = error(root)
    assert wanted in message and NAMES[4] in message
    assert "utkface: 1 of 9 images cannot be used" in message
    listed = tmp_path / "outputs" / "cache" / "utkface-unusable.txt"
    assert [line.count(NAMES[4]) for line in listed.read_text().splitlines()] == [1]


def test_the_first_image_may_be_damaged_as_well(tmp_path):
    folder = write_folder(tmp_path / "UTKFace")
    for name in (NAMES[0], NAMES[1]):
        (folder / name).write_bytes(b"no jpeg")
    assert "utkface: 2 of 9 images cannot be used" in error(tmp_path)
    for name in NAMES:
        (folder / name).write_bytes(b"no jpeg")
    assert f"{NAMES[-1]} is not a readable image" in error(tmp_path)


def test_a_malformed_name_need_not_be_an_image(tmp_path):
    folder = write_folder(tmp_path / "UTKFace")
    (folder / MALFORMED).write_bytes(b"no jpeg")
    assert len(load(tmp_path)) == 9


def test_all_names_malformed(tmp_path):
    write_folder(tmp_path / "UTKFace", [MALFORMED, "photo.jpg"])
    message = error(tmp_path)
    assert "none of 2 .jpg names reads [age]_[gender]_[race]_[date].jpg.chip.jpg" in message
    assert f"such as {MALFORMED}" in message


def test_empty_folder_and_empty_archive(tmp_path):
    (tmp_path / "UTKFace").mkdir()
    assert "UTKFace, aligned and cropped is missing" in error(tmp_path)
    tarfile.open(tmp_path / "utkface.tar", "w").close()
    assert "none of 0 .jpg names" in error(tmp_path)


def test_damaged_archive(tmp_path):
    folder = write_folder(tmp_path / "a" / "UTKFace")
    archive_path = tmp_path / "b" / "UTKFace.tar.gz"
    archive_path.parent.mkdir()
    with tarfile.open(archive_path, "w:gz") as archive:
        archive.add(folder, "UTKFace")
    archive_path.write_bytes(archive_path.read_bytes()[:-300])
    assert "UTKFace.tar.gz is a damaged archive" in error(archive_path.parent)


def test_ambiguous_sources(tmp_path):
    for name in ("utkface.tar", "UTKFace.tar.gz"):
        tarfile.open(tmp_path / name, "w").close()
    assert "more than one archive" in error(tmp_path)
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        for folder in ("a", "b"):
            write_folder(tmp_path / folder, NAMES[:1])
            archive.add(tmp_path / folder, folder)
    (tmp_path / "c").mkdir()
    (tmp_path / "one.tar").rename(tmp_path / "c" / "utkface.tar")
    assert f"holds {NAMES[0]} twice" in error(tmp_path / "c")


REAL_NAMES = data_root() / "utkface" / "utkface_labels.csv"


@pytest.mark.skipif(
    not REAL_NAMES.is_file(),
    reason=f"no utkface/utkface_labels.csv in {data_root()} ($OCCKD_DATA)",
)
def test_real_names():
    table = pd.read_csv(REAL_NAMES)
    parsed = [utkface.parse_name(name) for name in table["file"]]
    valid = np.array([labels is not None for labels in parsed])
    assert valid.sum() == 23705 and (~valid).sum() == 3
    assert np.array_equal(valid, table["valid"] == 1)
    labels = np.array([labels for labels in parsed if labels is not None])
    assert np.array_equal(labels, table.loc[valid, ["age", "gender", "race"]])
    kept = table[valid].sort_values("file")
    splits = three_ways(kept["file"].to_numpy(str), kept["dup_group"].to_numpy(), 0)
    assert [np.sum(splits == s) for s in ("train", "val", "test")] == [14223, 4741, 4741]


@pytest.mark.skipif(
    utkface.find(data_root()) is None, reason=f"no UTKFace in {data_root()} ($OCCKD_DATA)"
)
def test_real_faces():
    """No photograph is parted, neither among identical faces nor among near copies."""
    faces = load(None, "gender")
    assert [len(faces.split(s)) for s in ("train", "val", "test")] == [14223, 4741, 4741]
    assert not faces.duplicate_of_train.any() and not faces.near_copy_of_train.any()
    for kind, groups, members in (("group", 375, 765), ("near", 912, 1909)):
        known = faces.table[faces.table[kind] >= 0].assign(
            split=faces.splits[faces.table[kind] >= 0]
        )
        by_group = known.groupby(kind)["split"].nunique()
        assert (len(by_group), len(known), by_group.max()) == (groups, members, 1)
