"""FER+: label rules by hand, the three forms, every error, and the real counts."""

import csv
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data import data_root, load_faces
from occkd_lib.data.readers import ferplus
from occkd_lib.errors import OcckdError

HAPPY = (0, 9, 0, 0, 0, 0, 0, 0, 1, 0)
SPLIT_VOTE = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0)  # no majority; neutral and anger otherwise
NOT_A_FACE = (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)
TRAIN, VALID, TEST = ferplus.FOLDERS.values()
# folder -> name -> (pixel seed, votes); seed 1 in train is dropped by majority
FACES = {
    TRAIN: {
        "fer0000001.png": (1, SPLIT_VOTE),
        "fer0000000.png": (0, HAPPY),
        "fer0000002.png": (2, (0, 0, 0, 0, 0, 8, 2, 0, 0, 0)),
        "fer0000003.png": (3, NOT_A_FACE),
    },
    VALID: {"fer0000010.png": (0, HAPPY), "fer0000011.png": (11, SPLIT_VOTE)},
    TEST: {"fer0000020.png": (1, HAPPY), "fer0000021.png": (21, (10,) + (0,) * 9)},
}


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def write_folders(home, faces=FACES):
    for folder, members in faces.items():
        (home / folder).mkdir(parents=True)
        with open(home / folder / "label.csv", "w", newline="") as file:
            writer = csv.writer(file)
            for name, (seed, votes) in members.items():
                Image.fromarray(pixels(seed)).save(home / folder / name)
                writer.writerow([name, "(0, 0, 48, 48)", *votes])
    return home


def write_csv(home, rows):
    """rows: (usage, name, seed, votes)"""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "fer2013.csv", "w") as images, open(home / "fer2013new.csv", "w") as votes:
        images.write("emotion,pixels,Usage\n")
        votes.write(",".join(["Usage", "Image name", *ferplus.VOTES]) + "\n")
        for usage, name, seed, counts in rows:
            images.write(f"0,{' '.join(map(str, pixels(seed).ravel()))},{usage}\n")
            votes.write(",".join([usage, name, *map(str, counts)]) + "\n")


CSV_ROWS = [
    ("Training", "fer0000005.png", 5, HAPPY),
    ("Training", "", 6, NOT_A_FACE),
    ("Training", "fer0000002.png", 2, HAPPY),
    ("PublicTest", "fer0000010.png", 10, HAPPY),
    ("PrivateTest", "fer0033120.png", 20, (5, 0, 0, 1, 1, 0, 0, 0, 3, 0)),
    ("PrivateTest", "fer0033120.png", 21, NOT_A_FACE),
    ("Training", "fer0000005.png", 7, HAPPY),
]


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))


def load(root, labels="majority", **options):
    return load_faces("ferplus", task="expression", labels=labels, root=root, **options)


def error(root, **options):
    with pytest.raises(OcckdError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# votes, then the classes each rule keeps and their weights; {} = dropped. Single votes are noise.
BY_HAND = [
    (SPLIT_VOTE, {}, {0: 4, 4: 3}, {0: 4, 4: 3}),  # of 9: 4 < 4.5; 4 + 3 >= 6.75; both >= 2.7
    ((6, 0, 1, 1, 0, 0, 0, 0, 2, 0), {0: 6}, {0: 6}, {0: 6}),  # of 8: 6 is 75% already
    ((7, 3, 0, 0, 0, 0, 0, 0, 0, 0), {0: 7}, {0: 7, 1: 3}, {0: 7, 1: 3}),  # 70% is not 75%
    ((5, 0, 0, 0, 0, 0, 0, 0, 5, 0), {}, {}, {0: 5}),  # half is not more than half
    ((0, 4, 0, 3, 0, 0, 0, 0, 3, 0), {}, {1: 4, 3: 3}, {1: 4, 3: 3}),  # tie with unknown: stop
    ((4, 0, 0, 0, 0, 0, 0, 0, 3, 3), {}, {}, {0: 4}),
    ((2, 2, 2, 2, 2, 0, 0, 0, 0, 0), {}, {}, {}),  # five share a place: more than three
    ((3, 3, 2, 2, 0, 0, 0, 0, 0, 0), {}, {}, {0: 3, 1: 3}),
    ((3, 3, 2, 0, 0, 0, 0, 1, 1, 0), {}, {0: 3, 1: 3}, {0: 3, 1: 3}),  # of 8: 6 is 75%
    ((0, 0, 0, 0, 0, 4, 3, 2, 0, 0), {}, {5: 4, 6: 3}, {5: 4, 6: 3}),
    ((0, 0, 0, 0, 0, 3, 2, 2, 3, 0), {}, {}, {5: 3}),  # of 10: unknown comes up at 3, 3 < 5
    ((2, 0, 0, 2, 0, 0, 0, 0, 4, 2), {}, {}, {}),
    ((0, 0, 0, 0, 0, 0, 0, 0, 2, 8), {}, {}, {}),
    ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), {}, {}, {}),
]


@pytest.mark.parametrize("case", BY_HAND, ids=lambda case: "-".join(map(str, case[0])))
def test_label_rules_by_hand(case):
    votes, majority, soft, multi = case
    wanted = {
        "majority": majority,
        "crossentropy": soft,
        "probability": soft,
        "multi_target": multi,
    }
    for rule, classes in wanted.items():
        found = ferplus.emotions(np.array([votes]), rule)[0]
        assert {k: v for k, v in enumerate(found) if v} == classes, rule


def test_majority(tmp_path):
    faces = load(write_folders(tmp_path / "ferplus").parent)
    assert faces.ids.tolist() == [
        "fer0000000.png", "fer0000002.png", "fer0000010.png", "fer0000020.png", "fer0000021.png",
    ]  # fmt: skip
    assert faces.splits.tolist() == ["train", "train", "val", "test", "test"]
    assert faces.targets.tolist() == [1, 5, 1, 1, 0]
    assert faces.targets.dtype == torch.int64 and faces.soft_targets is None
    assert faces.images.shape == (5, 1, 48, 48)
    assert np.array_equal(faces.images[1, 0].numpy(), pixels(2))
    # val's face is in train; test's first is a train image that majority drops: it counts too
    assert faces.duplicate_of_train.tolist() == [False, False, True, True, False]
    assert faces.table["disgust"].tolist() == [0, 8, 0, 0, 0]


def test_soft_rules_label_train_only(tmp_path):
    root = write_folders(tmp_path / "ferplus").parent
    for rule in ("crossentropy", "probability"):
        faces = load(root, rule)
        assert faces.ids[:3].tolist() == ["fer0000000.png", "fer0000001.png", "fer0000002.png"]
        assert len(faces.split("val")) == 1  # by majority, as ever
        assert faces.soft_targets.dtype == torch.float32
        assert faces.soft_targets[1].tolist() == pytest.approx([4 / 7, 0, 0, 0, 3 / 7, 0, 0, 0])
        assert torch.equal(faces.soft_targets.sum(1), torch.ones(6))
        assert faces.targets.tolist() == [1, 0, 5, 1, 1, 0]
    faces = load(root, "multi_target")
    assert faces.soft_targets[1].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]
    assert faces.targets[1] == 0


def test_training_is_told_what_the_labels_need(tmp_path):
    root = write_folders(tmp_path / "ferplus").parent
    told = {rule: load(root, rule) for rule in ferplus.LABEL_RULES}
    assert {rule for rule, faces in told.items() if faces.loss == "multi_target"} == {
        "multi_target"
    }
    assert {rule for rule, faces in told.items() if faces.loss} == {"multi_target"}
    assert {rule for rule, faces in told.items() if faces.sample_labels} == {"probability"}
    assert {faces.label_rule for faces in told.values()} == set(ferplus.LABEL_RULES)
    assert {faces.rule for faces in told.values()} == set(ferplus.LABEL_RULES)
    assert {faces.published for faces in told.values()} == {(), (25_045, 3_191, 3_137)}
    assert all(faces.vocabulary == "ferplus8" for faces in told.values())


def test_near_copies_of_train_are_told(tmp_path):
    """Darker than a train face that majority drops: a near copy, and no identical one."""
    home = write_folders(tmp_path / "ferplus")
    Image.fromarray(pixels(1) // 2).save(home / TEST / "fer0000021.png")
    faces = load(tmp_path).split("test")
    assert faces.duplicate_of_train.tolist() == [True, False]
    assert faces.near_copy_of_train.tolist() == [True, True]
    assert load(tmp_path).split("val").near_copy_of_train.tolist() == [True]


@pytest.mark.parametrize("inside", ["", "FERPlus/data/"])
def test_zip_and_folder_give_the_same_faces(tmp_path, inside):
    home = write_folders(tmp_path / "a")
    (tmp_path / "b" / "ferplus").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "b" / "ferplus" / "faces.zip", "w") as archive:
        archive.writestr("__MACOSX/FER2013Train/label.csv", "junk")
        for file in home.rglob("*.*"):
            archive.write(file, inside + file.relative_to(home).as_posix())
    from_folder, from_zip = load(home), load(tmp_path / "b")
    assert from_zip.fingerprint() == from_folder.fingerprint()
    assert torch.equal(from_zip.images, from_folder.images)
    assert torch.equal(load(tmp_path / "b", cache=False).images, from_folder.images)


def test_csv_form(tmp_path):
    write_csv(tmp_path / "ferplus", CSV_ROWS)
    faces = load(tmp_path)
    assert faces.label_rule == "majority (fer2013new.csv)"
    names = ["fer0000002.png", "fer0000005.png", "fer0000010.png", "fer0033120.png"]
    assert faces.ids.tolist() == names
    assert np.array_equal(faces.images[0, 0].numpy(), pixels(2))
    # the later row of fer0033120 is not a face: the first one counts
    assert np.array_equal(faces.images[3, 0].numpy(), pixels(20)) and faces.targets[3] == 0
    assert faces.table.attrs["repeated"] == ["fer0033120.png", "fer0000005.png"]


def test_label_csv_is_preferred(tmp_path):
    write_csv(tmp_path / "ferplus", CSV_ROWS)
    write_folders(tmp_path)
    assert load(tmp_path).label_rule == "majority"


def test_first_of_two_rows_of_a_name_counts(tmp_path):
    home = write_folders(tmp_path / "ferplus")
    with open(home / TEST / "label.csv", "a") as file:
        file.write("fer0000020.png,box,0,0,0,0,0,0,0,0,0,10\n")
    faces = load(tmp_path)
    assert faces.split("test").ids.tolist() == ["fer0000020.png", "fer0000021.png"]
    assert faces.table.attrs["repeated"] == ["fer0000020.png"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-400])


def replace_row(row, text):
    def change(path):
        lines = path.read_text().splitlines()
        lines[row - 1] = text
        path.write_text("\n".join(lines))

    return change


def save(array):
    return lambda path: Image.fromarray(array).save(path)


@pytest.mark.parametrize(
    ("file", "change", "wanted"),
    [
        ("fer0000002.png", truncate, "fer0000002.png is not a readable image"),
        ("fer0000002.png", lambda p: p.write_text("x"), "fer0000002.png is not a readable image"),
        ("fer0000002.png", save(np.zeros((48, 64), np.uint8)), "has 64x48 pixels, expected 48x48"),
        ("fer0000002.png", save(np.zeros((48, 48, 3), np.uint8)), "has mode RGB, expected L"),
        ("fer0000002.png", save(np.zeros((48, 48), np.uint16)), "has mode I;16, expected L"),
        ("fer0000002.png", lambda p: p.unlink(), "1 rows of label.csv have no image, the first is "
         "fer0000002.png in row 3"),
        ("fer0000009.png", save(pixels(9)), "1 images have no row in label.csv, the first is "
         "fer0000009.png"),
        ("label.csv", replace_row(2, "fer0000000.png,box,0,9"), "label.csv, row 2: expected name"),
        ("label.csv", replace_row(3, "fer0000002.png,box,0,-1,0,0,0,0,0,0,0,0"), "row 3: expected"),
        ("label.csv", replace_row(3, "fer0000002.png,box,0,x,0,0,0,0,0,0,0,0"), "row 3: expected"),
        ("label.csv", lambda p: p.write_text(""), "label.csv is empty"),
        ("label.csv", lambda p: p.unlink(), "label.csv is missing"),
    ],
)  # fmt: skip
def test_damage_in_a_folder(tmp_path, file, change, wanted):
    change(write_folders(tmp_path / "ferplus") / TRAIN / file)
    message = error(tmp_path)
    assert wanted in message and TRAIN in message


def test_missing_or_empty_folder(tmp_path):
    home = write_folders(tmp_path / "ferplus")
    shutil.rmtree(home / VALID)
    assert f"{VALID}/label.csv is missing" in error(tmp_path)
    (home / VALID).mkdir()
    assert f"{VALID}/label.csv is missing" in error(tmp_path)


def test_damaged_zip(tmp_path):
    home = write_folders(tmp_path / "a")
    whole = shutil.make_archive(str(tmp_path / "ferplus"), "zip", home)
    shutil.rmtree(home)
    content = bytearray((tmp_path / "ferplus.zip").read_bytes())
    (tmp_path / "ferplus.zip").write_bytes(content[:-1000])
    assert "ferplus.zip is not a readable zip" in error(tmp_path)
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("other/readme.txt", "no faces")
    assert "FER+ is missing" in error(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [
        ("fer2013.csv", replace_row(2, "0,1 2 3,Training"), "fer2013.csv, row 2: expected 48 x 48"),
        ("fer2013.csv", replace_row(2, "0," + "256 " * 2304 + ",Training"), "row 2: expected 48"),
        ("fer2013.csv", replace_row(2, "0,1,PublicTest"), "row 2: not the face"),
        ("fer2013.csv", replace_row(8, ""), "differ in length"),
        ("fer2013.csv", replace_row(1, "a,b,c"), "row 1: expected the columns"),
        ("fer2013new.csv", replace_row(4, "Training,x.png,1,2"), "fer2013new.csv, row 4: expected"),
    ],
)
def test_damage_in_the_csv_form(tmp_path, name, change, wanted):
    write_csv(tmp_path / "ferplus", CSV_ROWS)
    change(tmp_path / "ferplus" / name)
    assert wanted in error(tmp_path)


# --- the real faces -------------------------------------------------------------------------

needs_ferplus = pytest.mark.skipif(
    ferplus.find(data_root()) is None, reason=f"no FER+ in {data_root()} ($OCCKD_DATA)"
)


@pytest.fixture(scope="module")
def decoded_once(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@needs_ferplus
def test_real_majority(decoded_once, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(decoded_once))
    faces = load(None)
    counts = {s: faces.split(s).targets.bincount().tolist() for s in ("train", "val", "test")}
    assert counts == {
        "train": [8733, 7284, 3136, 3022, 2098, 116, 536, 120],
        "val": [1180, 862, 411, 348, 289, 25, 60, 16],
        "test": [1083, 892, 394, 382, 269, 16, 86, 15],
    }
    assert [sum(n) for n in counts.values()] == [25045, 3191, 3137]
    for split, identical, near in (("train", 0, 0), ("val", 245, 343), ("test", 244, 354)):
        part = faces.split(split)
        assert part.duplicate_of_train.sum() == identical
        assert part.near_copy_of_train.sum() == near
        assert part.near_copy_of_train[part.duplicate_of_train].all()
    here = faces.ids == "fer0033120.png"
    assert faces.targets[here].tolist() == [0] and faces.splits[here].tolist() == ["test"]


@needs_ferplus
@pytest.mark.parametrize(
    ("rule", "n"), [("crossentropy", 27947), ("probability", 27947), ("multi_target", 27667)]
)
def test_real_soft_rules(decoded_once, monkeypatch, rule, n):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(decoded_once))
    faces = load(None, rule)
    assert [np.sum(faces.splits == s) for s in ("train", "val", "test")] == [n, 3191, 3137]
    assert faces.duplicate_of_train.sum() == 245 + 244
    assert faces.near_copy_of_train.sum() == 343 + 354


@pytest.mark.skipif(
    not (data_root() / "ferplus" / "fer2013new.csv").is_file(),
    reason=f"no ferplus/fer2013new.csv in {data_root()} ($OCCKD_DATA)",
)
def test_real_votes_of_fer2013new():
    table = pd.read_csv(data_root() / "ferplus" / "fer2013new.csv")
    kept = ferplus.emotions(table[list(ferplus.VOTES)].to_numpy(), "majority").any(1)
    sizes = [kept[table["Usage"] == usage].sum() for usage in ferplus.USAGES]
    assert sizes == [25060, 3199, 3153]
