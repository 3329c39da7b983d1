"""A user's own faces: tasks, splits, people, decoding, and every error."""

import csv

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data import load_faces, parse_data, relabelled
from occkd_lib.data.readers import folder
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import occlude


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


def picture(seed, size=(30, 40)):
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)


WORDS = ("happy", "Sad", "anger")


def write(home, rows=None, titles=("file", "label"), images=True, name="labels.csv"):
    """rows: file, label and further cells; by default thirty faces of three expressions."""
    rows = [(f"{i % 4}/{i:02}.png", WORDS[i % 3]) for i in range(30)] if rows is None else rows
    home.mkdir(parents=True, exist_ok=True)
    with open(home / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([titles, *rows])
    for seed, (file, *_) in enumerate(rows if images else ()):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(home / file)
    return rows


def load(root, task="expression", path="faces/labels.csv", size=32, **options):
    return load_faces("folder", task=task, root=root, path=path, size=size, **options)


def error(root, **options):
    with pytest.raises(OcckdError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faces(tmp_path):
    rows = write(tmp_path / "faces")
    faces = load(tmp_path)
    assert faces.name == "folder" and faces.vocabulary == "own"
    assert faces.classes == ("happiness", "sadness", "anger")  # those that occur, in our order
    assert faces.ids.tolist() == sorted(file for file, _ in rows)
    words = {"happy": 0, "Sad": 1, "anger": 2}
    labels = dict(rows)
    assert faces.targets.tolist() == [words[labels[name]] for name in faces.ids]
    assert faces.targets.dtype == torch.int64 and faces.images.shape == (30, 3, 32, 32)
    assert [len(faces.split(s)) for s in ("train", "val", "test")] == [18, 6, 6]
    assert not np.array_equal(load(tmp_path, split_seed=1).splits, faces.splits)
    settings = parse_data(
        {"name": "folder", "path": str(tmp_path / "faces/labels.csv"), "size": 32}
    )
    assert folder.DATA_SET.classes_of(settings, "expression") == faces.classes
    assert folder.DATA_SET.sizes(settings) == (18, 6)
    assert relabelled(faces, "rafdb7").targets.unique().tolist() == [1, 3, 4]


def test_where_the_list_is_looked_for(tmp_path, monkeypatch):
    write(tmp_path / "data" / "faces")
    write(
        tmp_path / "here" / "faces", [(f"{i}.png", "happy") for i in range(10)] + [("x.png", "sad")]
    )
    monkeypatch.chdir(tmp_path / "here")
    assert len(load(tmp_path / "data")) == 30
    assert len(load(tmp_path / "nothing")) == 11
    assert len(load(None, path=str(tmp_path / "data" / "faces" / "labels.csv"))) == 30
    message = error(tmp_path / "data", path="no/list.csv")
    assert f"a folder of your own is missing: nothing usable in {tmp_path}/data (--data" in message
    assert "no/list.csv (or in the current folder), a .csv or .parquet with the columns" in message
    unknown = parse_data({"name": "folder", "path": "no/list.csv", "size": 32})
    assert folder.DATA_SET.sizes(unknown) is None
    with pytest.raises(OcckdError, match="is missing"):
        folder.DATA_SET.classes_of(unknown, "expression")


def test_parquet(tmp_path):
    rows = write(tmp_path / "faces")
    usual = load(tmp_path)
    table = pd.DataFrame(rows, columns=["file", "label"]).assign(split=None, further=1.5)
    table.to_parquet(tmp_path / "faces" / "list.parquet")
    assert load(tmp_path, path="faces/list.parquet").fingerprint() == usual.fingerprint()
    table.assign(age=range(30)).to_parquet(tmp_path / "faces" / "ages.parquet")
    ages = load(tmp_path, task="age", path="faces/ages.parquet", label="age")
    assert ages.targets.dtype == torch.float32 and ages.classes == ()
    assert sorted(ages.targets.tolist()) == list(range(30))
    assert "row 2: no image no.png" in (
        table.assign(file=["a", "no.png"] + ["x"] * 28).to_parquet(tmp_path / "faces/b.parquet")
        or (tmp_path / "faces" / "a").write_bytes(b"")
        or error(tmp_path, path="faces/b.parquet")
    )


@pytest.mark.parametrize(
    ("task", "labels", "options", "classes", "targets"),
    [
        ("gender", ["f", "Male", "woman"], {}, ("male", "female"), [1, 0, 1]),
        ("gender", ["a", "b", "a"], {"classes": ["b", "a"]}, ("b", "a"), [1, 0, 1]),
        ("age", ["3", "4.5", "99"], {}, (), [3.0, 4.5, 99.0]),
        ("category", ["glasses", "none", "mask"], {}, ("glasses", "mask", "none"), [0, 2, 1]),
        ("category", ["m", "male", "m"], {}, ("m", "male"), [0, 1, 0]),  # no synonyms
        ("category", ["b", "a", "b"], {"classes": ["b", "c", "a"]}, ("b", "c", "a"), [0, 2, 0]),
        ("category", ["1", "10", "2"], {}, ("1", "10", "2"), [0, 1, 2]),
        ("expression", ["happy", "sad", "joy"], {"classes": ["Sad", "Happiness"]},
         ("Sad", "Happiness"), [1, 0, 1]),
    ],
)  # fmt: skip
def test_tasks(tmp_path, task, labels, options, classes, targets):
    splits = ("train", "val", "test")
    rows = [(f"{i}.png", labels[i], splits[i]) for i in range(3)]
    write(tmp_path / "faces", rows, ("file", "label", "split"))
    faces = load(tmp_path, task, **options)
    assert faces.classes == classes and faces.targets.tolist() == targets
    assert faces.splits.tolist() == list(splits)


def test_names_of_columns(tmp_path):
    rows = [(f"{i}.png", "x", i % 2, ["train", "val", "test"][i % 3], f"p{i}") for i in range(6)]
    write(tmp_path / "faces", rows, ("image", "note", "smile", "part", "who"))
    faces = load(tmp_path, "category", file="image", label="smile", split="part", person="who")
    assert faces.classes == ("0", "1") and faces.table["person"].tolist() == [r[4] for r in rows]
    assert faces.splits.tolist() == [r[3] for r in rows]


def test_people_and_copies_stay_together(tmp_path):
    rows = [(f"{i:03}.png", WORDS[i % 3], f"p{i // 4}" if i < 60 else "") for i in range(100)]
    write(tmp_path / "faces", rows, ("file", "label", "person"))
    # 99 is a copy of a picture of p0, encoded again; it has no person
    with Image.open(tmp_path / "faces" / "001.png") as image:
        image.save(tmp_path / "faces" / "099.png", format="JPEG", quality=80)
    for seed in range(6):
        faces = load(tmp_path, split_seed=seed)
        person = faces.table["person"].to_numpy()
        assert all(len(set(faces.splits[person == f"p{k}"])) == 1 for k in range(15))
        assert faces.splits[99] == faces.splits[1]
        assert 52 <= len(faces.split("train")) <= 68
        assert not faces.near_copy_of_train.any()
    assert len({load(tmp_path, split_seed=seed).splits[1] for seed in range(6)}) > 1


def test_a_given_split_is_kept_and_its_copies_are_told(tmp_path):
    splits = ("train", "val", "test")
    rows = [(f"{i}.png", WORDS[i % 3], splits[i % 3]) for i in range(9)]
    write(tmp_path / "faces", rows, ("file", "label", "split"))
    picture(0).save(tmp_path / "faces" / "4.png")
    picture(0).save(tmp_path / "faces" / "5.jpg", quality=40)
    (tmp_path / "faces" / "5.jpg").rename(tmp_path / "faces" / "5.png")
    faces = load(tmp_path)
    assert faces.splits.tolist() == [r[2] for r in rows]
    assert np.flatnonzero(faces.duplicate_of_train).tolist() == [4]
    assert np.flatnonzero(faces.near_copy_of_train).tolist() == [4, 5]


def test_faces_to_test_on_only(tmp_path):
    write(tmp_path / "faces", [(f"{i}.png", WORDS[i % 3], "test") for i in range(5)],
          ("file", "label", "split"))  # fmt: skip
    faces = load(tmp_path)
    assert len(faces.split("test")) == 5 == len(faces)
    settings = parse_data({"name": "folder", "path": "faces/labels.csv", "size": 32})
    assert folder.DATA_SET.sizes(settings) == (0, 0)


# --- images ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "LA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode(tmp_path, mode, channels):
    write(tmp_path / "faces")
    image = picture(0, (32, 32))
    if mode == "I;16":
        grey = image.convert("L")
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        wanted = grey
    else:
        image = wanted = image.convert(mode)
    image.save(tmp_path / "faces" / "0" / "00.png")
    faces = load(tmp_path, channels=channels)
    assert faces.images.shape == (30, channels, 32, 32)
    pixels = np.asarray(wanted.convert("L" if channels == 1 else "RGB"))
    stored = faces.images[0].numpy().transpose(1, 2, 0)
    assert np.array_equal(stored if channels == 3 else stored[..., 0], pixels)


def test_exif_orientation(tmp_path):
    write(tmp_path / "faces")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture(0, (32, 32)).save(tmp_path / "faces" / "0" / "00.png", exif=exif)
    turned = np.asarray(picture(0, (32, 32)))[::-1, ::-1]
    assert np.array_equal(load(tmp_path).images[0].numpy(), turned.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [32, 33])
def test_hidden_rows_do_not_leak_into_visible_ones(tmp_path, size):
    write(tmp_path / "faces")
    native = np.random.default_rng(0).integers(0, 256, (51, 40, 3), dtype=np.uint8)
    stored = {}
    for visible in ("full", "lower", "upper"):
        hidden = occlude(torch.tensor(native).permute(2, 0, 1), visible).permute(1, 2, 0)
        Image.fromarray(hidden.numpy()).save(tmp_path / "faces" / "0" / "00.png")
        stored[visible] = load(tmp_path, size=size, cache=False).images[0]
    for visible in ("lower", "upper"):
        assert torch.equal(occlude(stored["full"], visible), stored[visible])


def test_a_box_cuts_the_face_out(tmp_path):
    titles = ("file", "label", "box")
    rows = [(f"{i}.png", WORDS[i % 3], "5 10 25 30" if i else "") for i in range(9)]
    write(tmp_path / "faces", rows, titles)
    boxed = load(tmp_path, size=16)
    for i in range(9):  # the same pictures, cut out by hand
        path = tmp_path / "faces" / f"{i}.png"
        image = Image.open(path)
        image.crop((5, 10, 25, 30) if i else (0, 0, *image.size)).save(path)
    write(tmp_path / "faces", [row[:2] for row in rows], images=False)
    assert torch.equal(load(tmp_path, size=16).images, boxed.images)


def test_another_box_is_decoded_anew(tmp_path):
    def boxed(box):
        rows = [(f"{i}.png", WORDS[i % 3], box) for i in range(9)]
        write(tmp_path / "faces", rows, ("file", "label", "box"), images=False)
        return load(tmp_path, size=16).images.clone()

    write(tmp_path / "faces", [(f"{i}.png", "") for i in range(9)])
    assert not torch.equal(boxed("0 0 20 20"), boxed("5,10,25,30"))


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ("5 10 25", "row 3: box '5 10 25': write left top right bottom, in pixels"),
        ("a b c d", "row 3: box 'a b c d': write left top"),
        ("nan 1 2 3", "row 3: box 'nan 1 2 3': write left top"),
        ("5 10 31 30", "row 3: 1.png: box 5 10 31 30 does not lie in its 30 x 40 pixels"),
        ("25 10 5 30", "row 3: 1.png: box 25 10 5 30 does not lie in"),
    ],
)
def test_boxes_that_are_none(tmp_path, box, wanted):
    rows = [(f"{i}.png", WORDS[i % 3], box if i == 1 else "") for i in range(9)]
    write(tmp_path / "faces", rows, ("file", "label", "box"))
    assert wanted in error(tmp_path)


def test_a_link_out_of_the_folder(tmp_path):
    write(tmp_path / "faces")
    write(tmp_path / "elsewhere", [("0.png", "sad")])
    (tmp_path / "faces" / "1" / "01.png").unlink()
    (tmp_path / "faces" / "1" / "01.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    assert "row 3: 1/01.png is a link that leaves the folder of the list" in error(tmp_path)


def test_where_the_command_was_given(tmp_path, monkeypatch):
    """Notebooks run in folders of their own."""
    write(tmp_path / "mine" / "faces")
    assert "is missing" in error(tmp_path / "nothing")
    monkeypatch.setenv("OCCKD_HERE", str(tmp_path / "mine"))
    assert len(load(tmp_path / "nothing")) == 30


def test_labels_can_change_without_decoding(tmp_path, monkeypatch):
    rows = write(tmp_path / "faces")
    first = load(tmp_path)
    monkeypatch.setattr(folder, "picture", None)  # would fail if it were called
    write(tmp_path / "faces", [(file, "fear") for file, _ in rows[:5]] + rows[5:], images=False)
    again = load(tmp_path)
    assert again.classes == ("happiness", "sadness", "anger", "fear")
    assert torch.equal(again.images, first.images)


def test_two_folders_do_not_share_what_is_cached(tmp_path):
    for home, first in (("a", 0), ("b", 100)):
        write(tmp_path / home / "faces")
        for i in range(30):
            picture(first + i).save(tmp_path / home / "faces" / f"{i % 4}/{i:02}.png")
    assert not torch.equal(load(tmp_path / "a").images, load(tmp_path / "b").images)
    assert not torch.equal(load(tmp_path / "a").images, load(tmp_path / "a", channels=1).images)


# --- errors ---------------------------------------------------------------------------------

FIRST = "0/00.png"


def rows_with(number, *cells):
    """The usual rows, with another in place of row ``number``, as an editor counts them."""
    rows = [(f"{i % 4}/{i:02}.png", WORDS[i % 3]) for i in range(30)]
    rows[number - 2] = cells
    return rows


@pytest.mark.parametrize(
    ("rows", "titles", "options", "wanted"),
    [
        (rows_with(3, "1/01.png", "hapy"), None, {}, "row 3: label 'hapy' is not among the classes "
         "neutral, happiness, surprise, sadness, anger, disgust, fear, contempt"),
        (rows_with(3, "1/01.png", "hapiness"), None, {}, "contempt: did you mean 'happiness'?"),
        (rows_with(3, "1/01.png", ""), None, {}, "row 3: label '' is not among the classes"),
        (rows_with(3, "1/01.png", "bored"), None, {}, "words of your own are task category"),
        (rows_with(3, "1/01.png", ""), None, {"task": "category"}, "row 3: label '' is not among"),
        (rows_with(3, "1/01.png", "x"), None, {"classes": ["happy", "sad", "anger"]},
         "row 3: label 'x' is not among the classes happy, sad, anger"),
        (rows_with(3, "1/01.png", "old"), None, {"task": "age"}, "row 2: label 'happy' is no"),
        (rows_with(3, "no.png", "sad"), None, {}, "row 3: no image no.png: add it, or remove"),
        (rows_with(3, "", "sad"), None, {}, "row 3: no file named"),
        (rows_with(3, "../x.png", "sad"), None, {}, "row 3: ../x.png leaves the folder"),
        (rows_with(3, "0/../../x.png", "sad"), None, {}, "leaves the folder of the list"),
        (rows_with(3, "/etc/passwd", "sad"), None, {}, "row 3: /etc/passwd leaves the folder"),
        (rows_with(3, FIRST, "sad"), None, {}, "row 3: 0/00.png stands in row 2, too: remove one"),
        (rows_with(3, "0/./00.png", "sad"), None, {}, "row 3: 0/00.png stands in row 2, too"),
        (rows_with(3, "1/01.png"), None, {}, "row 3: 1 cells, expected 2"),
        (rows_with(3, "1/01.png", "sad", "x"), None, {}, "row 3: 3 cells, expected 2"),
        ([], None, {}, "labels.csv is empty: expected a row of titles"),
        (None, ("name", "label"), {}, "no column 'file', it has name, label: rename one, or say "
         "data.file in the recipe"),
        (None, ("file", "emotion"), {}, "no column 'label', it has file, emotion"),
        (None, None, {"label": "emotion"}, "no column 'emotion', it has file, label"),
        (None, None, {"split": "part"}, "no column 'part', it has file, label"),
        (None, None, {"person": "who"}, "no column 'who', it has file, label"),
        (None, ("file", "file"), {}, "row 1: two columns have the same title"),
        (rows_with(3, "1/01.png", "sad\ufffd"), None, {}, "row 3: not UTF-8"),
        ([(f"{i}.png", "happy") for i in range(9)], None, {}, "task expression cannot have the "
         "classes happiness"),
        ([(f"{i}.png", w) for i, w in enumerate("aabbcc")], None,
         {"task": "gender", "classes": ["a", "b", "c"]}, "task gender cannot have the classes"),
        (None, None, {"classes": ["sad"]}, "classes: there must be two or more, all different"),
        (None, None, {"classes": ["sad", "Sad"]}, "classes: there must be two or more"),
        (None, None, {"size": 8}, "size: Input should be greater than or equal to 16"),
        (None, None, {"channels": 2}, "channels: Input should be 1 or 3"),
        (None, None, {"sise": 2}, "sise: there is no such setting: did you mean 'size'?"),
    ],
)  # fmt: skip
def test_errors_in_the_list(tmp_path, rows, titles, options, wanted):
    write(tmp_path / "faces")
    write(tmp_path / "faces", rows, titles or ("file", "label"), images=False)
    for name in ("x.png",):
        picture(1).save(tmp_path / name)
    for file, *_ in rows or ():
        if file and "/" not in file and file != "no.png":
            picture(hash(file) % 99).save(tmp_path / "faces" / file)
    assert wanted in error(tmp_path, **{"task": "expression", **options})


@pytest.mark.parametrize(
    ("splits", "wanted"),
    [
        (["train", "val", "test", ""], "row 5: split '', expected train, val, test in every row"),
        (["train", "val", "valid"], "row 4: split 'valid', expected train, val, test"),
        (["train", "test"], "labels.csv: no face is left for val: add some, or let all rows say"),
        (["val", "test"], "no face is left for train"),
    ],
)
def test_errors_in_the_splits(tmp_path, splits, wanted):
    rows = [(f"{i}.png", WORDS[i % 3], splits[i % len(splits)]) for i in range(12)]
    write(tmp_path / "faces", rows, ("file", "label", "split"))
    assert wanted in error(tmp_path)


def test_a_person_in_two_splits(tmp_path):
    """Anna is of train in row 2 and of test in row 4; faces without a name are nobody's."""
    splits = ["train", "val", "test"] * 4
    people = ["anna", "ben", "anna", *[""] * 9]
    rows = [(f"{i}.png", WORDS[i % 3], splits[i], people[i]) for i in range(12)]
    write(tmp_path / "faces", rows, ("file", "label", "split", "person"))
    assert "row 4: anna is in test, in row 2 in train: give a person one split" in error(tmp_path)


def test_too_few_people_to_split(tmp_path):
    rows = [(f"{i}.png", WORDS[i % 3], "anna" if i < 11 else "ben") for i in range(12)]
    write(tmp_path / "faces", rows, ("file", "label", "person"))
    message = error(tmp_path)
    assert "people and copies kept together: no face is left for" in message
    assert "give a column split" in message


def damaged(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (damaged, "labels.csv, row 2: 0/00.png is not a readable image"),
        (lambda p: p.write_bytes(b""), "row 2: 0/00.png is not a readable image"),
        (lambda p: p.write_bytes(b"MZ"), "row 2: 0/00.png is not a readable image"),
        (lambda p: Image.new("1", (9000, 9000)).save(p), "9000x9000 pixels are too many"),
        (lambda p: picture(0, (40, 1)).save(p), "row 2: 0/00.png is 1 pixel high: it has no two"),
        (
            lambda p: Image.new("F", (9, 9)).save(p, format="TIFF"),
            "has mode F: save it with 8 bits",
        ),
        (lambda p: p.unlink(), "row 2: no image 0/00.png"),
        (lambda p: (p.unlink(), p.mkdir()), "row 2: no image 0/00.png"),
        (lambda p: (p.unlink(), p.symlink_to("nowhere")), "row 2: no image 0/00.png"),
    ],
)
def test_damaged_images(tmp_path, change, wanted):
    write(tmp_path / "faces")
    change(tmp_path / "faces" / FIRST)
    assert wanted in error(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"file,label\n"])
def test_damaged_parquet(tmp_path, content):
    write(tmp_path / "faces")
    (tmp_path / "faces" / "x.parquet").write_bytes(content)
    assert "x.parquet is not readable" in error(tmp_path, path="faces/x.parquet")


def test_bytes_that_are_no_text(tmp_path):
    write(tmp_path / "faces")
    with open(tmp_path / "faces" / "labels.csv", "ab") as file:
        file.write(b"caf\xe9.png,happy\n")
    assert "labels.csv, row 32: not UTF-8: save the file as UTF-8" in error(tmp_path)
    with open(tmp_path / "faces" / "labels.csv", "wb") as file:
        file.write(b"file,label\na\0.png,happy\n")
    assert "row 2: no file named" in error(tmp_path)
