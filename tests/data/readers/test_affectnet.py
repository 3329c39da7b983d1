"""AffectNet: both layouts, the cut to 15,000 faces a class, crops, every error."""

import csv
import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.data import EXPRESSIONS, load_faces, parse_data
from occkd_lib.data.readers import affectnet
from occkd_lib.data.splits import at_most
from occkd_lib.data.verify import prepare, verify
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import occlude

# the published code -> our class
OURS = {0: 0, 1: 1, 2: 3, 3: 2, 4: 6, 5: 5, 6: 4, 7: 7}


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def load(root, **options):
    return load_faces("affectnet", task="expression", root=root, **options)


def error(root, **options):
    with pytest.raises(OcckdError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def picture(seed, size=(40, 30)):
    """Random blocks, so that every crop looks different."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)


def row(name, code, box=(10, 5, 20, 20)):
    return [name, *box, ";".join(["1.5"] * 136), code, 0.1, -0.2]


TRAIN = [row(f"{i % 3}/t{i:02}.png", i % 11) for i in range(22)]  # two a code, 8 to 10 too
TEST = [row(f"9/v{code}.png", code) for code in range(8)]


def write_lists(home, train=TRAIN, test=TEST, titles=(True, True), folder="", images=None):
    (home / folder).mkdir(parents=True, exist_ok=True)
    for name, rows, titled in zip(("training", "validation"), (train, test), titles, strict=True):
        with open(home / folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([affectnet.COLUMNS] * titled + rows)
    base = home / "Manually_Annotated_Images" if images is None else images
    for seed, (name, *_) in enumerate([*train, *test]):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(base / name)
    return home


def write_sets(home, train=24, test=8, kind="text"):
    write = {
        "text": lambda code: np.array(str(code)),
        "bytes": lambda code: np.array(str(code).encode()),
        "number": lambda code: np.array(code),
        "float": lambda code: np.array([float(code)]),
    }[kind]
    for name, n in (("train_set", train), ("val_set", test)):
        for inner in ("images", "annotations"):
            (home / name / inner).mkdir(parents=True)
        for i in range(n):
            picture(i + 1000 * (n == test), (224, 224)).save(home / name / "images" / f"{i}.jpg")
            np.save(home / name / "annotations" / f"{i}_exp.npy", write(i % 8))
            np.save(home / name / "annotations" / f"{i}_val.npy", np.array("-0.5"))
    return home


def test_codes():
    assert {code: EXPRESSIONS.index(affectnet.CODES[code]) for code in range(8)} == OURS


def test_lists(tmp_path):
    write_lists(tmp_path / "affectnet")
    faces = load(tmp_path)
    assert faces.ids.tolist() == sorted(r[0] for r in TRAIN if r[6] < 8) + [r[0] for r in TEST]
    assert faces.splits.tolist() == ["train"] * 16 + ["test"] * 8
    codes = {r[0]: r[6] for r in [*TRAIN, *TEST]}
    assert faces.targets.tolist() == [OURS[codes[name]] for name in faces.ids]
    assert faces.targets.dtype == torch.int64 and faces.classes == EXPRESSIONS
    assert faces.images.shape == (24, 3, 224, 224)
    assert len(faces.split("val")) == 0 and len(faces.split("test")) == 8
    assert not faces.duplicate_of_train.any()
    seed = [r[0] for r in TRAIN].index(faces.ids[0])
    halves = [picture(seed).crop((10, 5 + 10 * k, 30, 15 + 10 * k)) for k in range(2)]
    resized = [half.resize((224, 112), Image.Resampling.BILINEAR) for half in halves]
    stacked = np.concatenate([np.asarray(half) for half in resized])
    assert np.array_equal(faces.images[0].numpy(), stacked.transpose(2, 0, 1))


def test_lists_at_other_places_and_without_titles(tmp_path):
    usual = load(write_lists(tmp_path / "a" / "AffectNet").parent)
    home = tmp_path / "b"
    write_lists(
        home,
        titles=(True, False),
        folder="Manually_Annotated_file_lists",
        images=home / "Manually_Annotated" / "Manually_Annotated_Images",
    )
    assert load(home).fingerprint() == usual.fingerprint()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_crops(tmp_path, mode):
    path = tmp_path / f"face.{'tif' if mode == 'CMYK' else 'png'}"
    picture(1, (300, 250)).convert(mode).save(path)
    wanted = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    inside = affectnet.crop(path, (30, 20, 224, 224))  # no scaling
    assert np.array_equal(inside, wanted[:, 20:244, 30:254])
    # clipped on every side: what is left is the whole image
    clipped = affectnet.crop(path, (-50, -60, 1000, 1000))
    assert np.array_equal(clipped, affectnet.crop(path, (0, 0, 300, 250)))
    right = affectnet.crop(path, (76, 26, 900, 900))
    assert np.array_equal(right, wanted[:, 26:250, 76:300])


@pytest.mark.parametrize("height", [2, 3, 101, 224, 500])
def test_hidden_rows_do_not_leak_into_visible_ones(tmp_path, height):
    """Occluding what is stored is occluding the native face: the rule of the book."""
    stored = []
    native = np.random.default_rng(height).integers(0, 256, (height, 60, 3), dtype=np.uint8)
    for visible in ("full", "lower", "upper"):
        hidden = occlude(torch.tensor(native).permute(2, 0, 1), visible).permute(1, 2, 0)
        Image.fromarray(hidden.numpy()).save(tmp_path / "face.png")
        stored.append(torch.tensor(affectnet.crop(tmp_path / "face.png", (0, 0, 60, height))))
    full, lower, upper = stored
    assert torch.equal(occlude(full, "lower"), lower)
    assert torch.equal(occlude(full, "upper"), upper)
    assert lower[:, 112:].any() and upper[:, :112].any()


def test_published_counts_are_cut_to_88021(monkeypatch):
    # hashing this many names takes seconds, and which faces are kept does not matter here
    monkeypatch.setattr("occkd_lib.data.splits.shuffled", lambda names, seed: np.arange(len(names)))
    # neutral, happy, sad, surprise, fear, disgust, anger, contempt
    counts = np.array([74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750])
    assert counts.sum() == 287651
    classes = np.repeat(np.arange(8), counts)
    kept = at_most(np.arange(287651), classes, affectnet.MOST, 0)
    assert kept.sum() == 88021
    assert np.bincount(classes[kept]).tolist() == [15000] * 3 + [14090, 6378, 3803, 15000, 3750]


def test_the_cut_depends_on_seed_and_names_alone():
    names = np.array([f"{i}.jpg" for i in range(400)])
    classes = np.arange(400) % 2
    kept = at_most(names, classes, 50, 3)
    assert np.bincount(classes[kept]).tolist() == [50, 50]
    again = at_most(names[::-1], classes[::-1], 50, 3)
    assert np.array_equal(again[::-1], kept)
    other = at_most(names, classes, 50, 4)
    assert 10 < (kept & other).sum() < 50  # 25 of a hundred by chance
    # the definition itself: any other would give everybody other faces
    even = sorted(names[classes == 0], key=lambda n: hashlib.sha256(f"3|{n}".encode()).digest())
    assert set(names[kept & (classes == 0)]) == set(even[:50])


def test_faces_that_are_cut_are_never_decoded(tmp_path, monkeypatch):
    write_sets(tmp_path / "affectnet")
    seen = []
    real = affectnet.crop
    monkeypatch.setattr(affectnet, "crop", lambda path, box: seen.append(path) or real(path, box))
    faces = load(tmp_path, most=2)
    assert np.bincount(faces.targets[faces.splits == "train"]).tolist() == [2] * 8
    assert (faces.splits == "test").sum() == 8
    assert len(seen) == 24
    chosen = {f"{path.parent.parent.name}/{path.name}" for path in seen}
    assert chosen == set(faces.ids)
    again = load(tmp_path, most=2)
    assert len(seen) == 24 and again.fingerprint() == faces.fingerprint()
    other = load(tmp_path, split_seed=1, most=2)
    assert set(other.ids) != set(faces.ids)


def test_all_faces_and_nothing_chosen(tmp_path, monkeypatch):
    """Five of each class, and nine more that are happy: the classes stay unequal."""
    train = [row(f"0/t{i:02}.png", i % 8) for i in range(40)]
    train += [row(f"1/h{i}.png", 1) for i in range(9)]
    write_lists(tmp_path / "affectnet", train)
    monkeypatch.setattr(affectnet, "MOST", 5)
    cut = load(tmp_path, most=5, classes=7).split("train")
    assert cut.targets.bincount().tolist() == [5] * 7
    every = load(tmp_path, most="all", classes=7)
    assert every.split("train").targets.bincount().tolist() == [5, 14, 5, 5, 5, 5, 5]
    assert every.split("test").targets.bincount().tolist() == [1] * 7
    assert len(every.split("val")) == 0
    monkeypatch.setattr(affectnet, "crop", None)  # another seed decodes nothing anew
    other = load(tmp_path, most="all", classes=7, split_seed=3)
    assert other.fingerprint() == every.fingerprint()


@pytest.mark.parametrize("most", [0, -1, 2.5, "everything"])
def test_most_is_a_number_or_all(tmp_path, most):
    assert error(tmp_path, most=most) == (
        f"data set 'affectnet': most: {most!r} is neither a number of faces (1 or more) nor 'all'"
    )


@pytest.mark.parametrize("kind", ["text", "bytes", "number", "float"])
def test_an_annotation_file_an_image(tmp_path, kind):
    home = write_sets(tmp_path / "affectnet", 9, 8, kind)
    faces = load(tmp_path)
    numbers = [int(name.split("/")[1].removesuffix(".jpg")) for name in faces.ids]
    assert faces.targets.tolist() == [OURS[i % 8] for i in numbers]
    assert faces.splits.tolist() == ["train"] * 9 + ["test"] * 8
    assert faces.ids[0] == "train_set/0.jpg" and faces.ids[-1] == "val_set/7.jpg"
    first = np.asarray(Image.open(home / "train_set" / "images" / "0.jpg"))
    assert np.array_equal(faces.images[0].numpy(), first.transpose(2, 0, 1))


def test_a_test_face_that_is_in_train_is_told(tmp_path):
    home = write_sets(tmp_path / "affectnet")
    copy = (home / "train_set" / "images" / "4.jpg").read_bytes()
    (home / "val_set" / "images" / "2.jpg").write_bytes(copy)
    faces = load(tmp_path)
    assert faces.ids[faces.duplicate_of_train].tolist() == ["val_set/2.jpg"]


def test_seven_classes(tmp_path):
    write_lists(tmp_path / "affectnet")
    every, seven = load(tmp_path), load(tmp_path, classes=7)
    assert seven.classes == EXPRESSIONS[:7] and seven.vocabulary == "affectnet7"
    kept = np.flatnonzero((every.targets < 7).numpy())
    assert seven.ids.tolist() == every.ids[kept].tolist() and len(seven) == 21
    assert torch.equal(seven.images[:], every.images[kept])
    assert torch.equal(seven.targets, every.targets[kept])


def test_counts_that_need_no_images():
    for options, sizes, published in (
        ({}, (88_021, 0), (88_021, 0, 4000)),
        ({"classes": 7}, (84_271, 0), (84_271, 0, 3500)),
        ({"most": 5000}, (6 * 5000 + 3803 + 3750, 0), ()),
        ({"most": "all"}, (287_651, 0), (287_651, 0, 4000)),
        ({"most": "all", "classes": 7}, (283_901, 0), (283_901, 0, 3500)),
    ):
        settings = parse_data({"name": "affectnet", **options})
        assert affectnet.DATA_SET.sizes(settings) == sizes
        assert affectnet.DATA_SET.published(settings) == published


def test_prepare_and_verify(tmp_path):
    write_lists(tmp_path / "affectnet", [*TRAIN, row("0/t00.png", 5)])
    assert "expression 16 / 0 / 8, fingerprint" in prepare("affectnet", root=tmp_path)
    text = "\n".join(verify("affectnet", root=tmp_path))
    assert "  val 0: this data set has no such split" in text
    assert "  test 8: neutral 1, happiness 1" in text
    assert "published: 88,021 / 0 / 4,000: NOT the same" in text
    assert "names labelled twice: 1 (0/t00.png)" in text


def test_broken_images_are_listed_then_only_they_are_decoded(tmp_path, outputs, monkeypatch):
    home = write_lists(tmp_path / "affectnet")
    images = home / "Manually_Annotated_Images"
    bad = [images / TRAIN[i][0] for i in (0, 3, 14)]
    for path in bad:
        path.write_bytes(path.read_bytes()[:60])
    message = error(tmp_path)
    assert "affectnet: 3 of 24 images cannot be used" in message
    listed = outputs / "cache" / "affectnet-unusable.txt"
    lines = listed.read_text().splitlines()
    assert len(lines) == 3 and all("is not a readable image" in line for line in lines)
    assert all(any(str(path) in line for line in lines) for path in bad)
    # one is repaired, the labels of the two others are removed with them
    picture(0).save(bad[0])
    for path in bad[1:]:
        path.unlink()
    left = [r for i, r in enumerate(TRAIN) if i not in (3, 14)]
    with open(home / "training.csv", "w", newline="") as file:
        csv.writer(file).writerows([affectnet.COLUMNS, *left])
    seen = []
    real = affectnet.crop
    monkeypatch.setattr(affectnet, "crop", lambda path, box: seen.append(path) or real(path, box))
    faces = load(tmp_path)
    assert seen == bad[:1] and len(faces) == 22
    assert torch.equal(load(tmp_path, cache=False).images, faces.images)
    assert not listed.exists()


def change_row(number, cells):
    def change(home):
        rows = list(csv.reader((home / "training.csv").open()))
        rows[number - 1] = cells
        with open(home / "training.csv", "w", newline="") as file:
            csv.writer(file).writerows(rows)

    return change


FIRST = TRAIN[0][0]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (change_row(2, row(FIRST, 11)), "training.csv, row 2: expression '11', expected 0 to 10"),
        (change_row(2, row(FIRST, "sad")), "training.csv, row 2: expression 'sad'"),
        (change_row(2, row(FIRST, -1)), "training.csv, row 2: expression '-1'"),
        (change_row(2, [FIRST, 1, 2]), "training.csv, row 2: 3 cells, expected 9"),
        (change_row(2, row(FIRST, 0, ("NULL",) * 4)), "row 2: expected a box of four numbers"),
        (change_row(1, ["subDirectory_filePath", "expression"]), "row 1: expected the columns"),
        (change_row(2, row("0/no.png", 0)), "1 rows of training.csv have no image, the first is "
         "0/no.png in row 2"),
        (change_row(2, row(FIRST, 0, (99, 5, 20, 20))), "t00.png: its box (99, 5, 20, 20) holds "
         "nothing of its 40x30 pixels"),
        (change_row(2, row(FIRST, 0, (10, 5, 0, 20))), "t00.png: its box (10, 5, 0, 20) holds"),
        (change_row(2, row(FIRST, 0, (10, 5, 20, 1))), "t00.png: its box (10, 5, 20, 1) holds"),
        (change_row(2, row(FIRST, 0, (10, 5, "inf", 1))), "row 2: expected a box of four numbers"),
        (lambda home: (home / "validation.csv").unlink(), "validation.csv is missing"),
        (lambda home: (home / "training.csv").write_text(""), "training.csv is empty"),
        (lambda home: (home / "Manually_Annotated_Images").rename(home / "other"),
         "Manually_Annotated_Images is missing"),
        (lambda home: (home / "val_set").mkdir(), "holds both training.csv and train_set/"),
    ],
)  # fmt: skip
def test_damage_in_the_lists(tmp_path, change, wanted):
    change(write_lists(tmp_path / "affectnet"))
    assert wanted in error(tmp_path, cache=False)


def test_a_box_that_is_no_number_matters_only_for_a_face(tmp_path):
    rows = [*TRAIN[:8], row("0/none.png", 10, ("NULL",) * 4)]
    assert len(load(write_lists(tmp_path / "affectnet", rows).parent)) == 16


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda a: (a / "annotations" / "3_exp.npy").unlink(), "annotations: 1 files NAME_exp.npy "
         "are missing, the first is 3_exp.npy"),
        (lambda a: (a / "images" / "3.jpg").unlink(), "images: 1 files NAME.jpg are missing, the "
         "first is 3.jpg"),
        (lambda a: (a / "annotations" / "3_exp.npy").write_bytes(b"x"), "3_exp.npy is not a "
         "readable annotation"),
        (lambda a: np.save(a / "annotations" / "3_exp.npy", np.arange(2)), "3_exp.npy is not a"),
        (lambda a: np.save(a / "annotations" / "3_exp.npy", np.array("12")), "3_exp.npy: "
         "expression '12', expected 0 to 10"),
        (lambda a: np.save(a / "annotations" / "3_exp.npy", np.array(1.5)), "expression '1.5'"),
        (lambda a: (a / "images" / "3.jpg").write_bytes(b"x"), "3.jpg is not a readable image"),
        (lambda a: picture(1).save(a / "images" / "3.jpg"), "3.jpg has 40x30 pixels, expected 224"),
        (lambda a: (a / "images").rename(a / "other"), "images is missing or empty"),
    ],
)  # fmt: skip
def test_damage_in_the_sets(tmp_path, change, wanted):
    change(write_sets(tmp_path / "affectnet") / "train_set")
    assert wanted in error(tmp_path, cache=False)
