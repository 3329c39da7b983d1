"""RAF-DB: codes, the held-out tenth, every error."""

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.data import EXPRESSIONS, load_faces
from occkd_lib.data.splits import hold_out
from occkd_lib.data.verify import verify
from occkd_lib.errors import OcckdError

# the published code -> our class: surprise, fear, disgust, happiness, sadness, anger, neutral
OURS = {1: 2, 2: 6, 3: 5, 4: 1, 5: 3, 6: 4, 7: 0}
LABELS = {f"train_{i:05}.jpg": i % 7 + 1 for i in range(1, 71)}
LABELS |= {f"test_{i:04}.jpg": i % 7 + 1 for i in range(1, 8)}


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))


def save(path, seed, size=(100, 100), mode="RGB"):
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size).convert(mode).save(path)


def write(home, images="Image/aligned", list_folder="EmoLabel"):
    for folder in (images, list_folder):
        (home / folder).mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {code}\n" for name, code in LABELS.items()]
    (home / list_folder / "list_patition_label.txt").write_text("".join(lines))
    for seed, name in enumerate(LABELS):
        save(home / images / name.replace(".jpg", "_aligned.jpg"), seed)
    return home


def load(root, **options):
    return load_faces("rafdb", task="expression", root=root, **options)


def error(root):
    with pytest.raises(OcckdError) as caught:
        load(root, cache=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faces(tmp_path):
    home = write(tmp_path / "rafdb")
    faces = load(tmp_path)
    assert faces.ids.tolist() == sorted(LABELS)
    assert faces.targets.tolist() == [OURS[LABELS[name]] for name in faces.ids]
    assert faces.classes == EXPRESSIONS[:7] and faces.targets.dtype == torch.int64
    assert faces.images.shape == (77, 3, 100, 100)
    first = np.asarray(Image.open(home / "Image" / "aligned" / "test_0001_aligned.jpg"))
    assert np.array_equal(faces.images[0].numpy(), first.transpose(2, 0, 1))
    report = "\n".join(verify("rafdb", root=tmp_path))
    assert "\n  train 63: neutral 9" in report
    assert "published: 12,271 / 3,068 (train with val / test): NOT the same" in report


@pytest.mark.parametrize(
    ("home", "images", "list_folder"),
    [
        ("rafdb", "aligned", "."),
        ("RAF-DB/basic", "Image/aligned", "EmoLabel"),
        (".", "aligned", "."),
    ],
)
def test_other_places(tmp_path, home, images, list_folder):
    write(tmp_path / "a" / "rafdb")
    write(tmp_path / "b" / home, images, list_folder)
    assert load(tmp_path / "b").fingerprint() == load(tmp_path / "a").fingerprint()


def test_a_tenth_of_every_training_class_is_held_out(tmp_path):
    write(tmp_path / "rafdb")
    faces = load(tmp_path)
    for split, each in (("train", 9), ("val", 1), ("test", 1)):
        assert faces.split(split).targets.bincount().tolist() == [each] * 7
    published = np.char.startswith(faces.ids, "test")
    assert np.array_equal(published, faces.splits == "test")
    assert np.array_equal(load(tmp_path).splits, faces.splits)
    other = load(tmp_path, split_seed=1).splits
    assert not np.array_equal(other, faces.splits)
    assert np.array_equal(other == "test", published)


def test_the_published_counts():
    # surprise, fear, disgust, happiness, sadness, anger, neutral
    counts = np.array([1290, 281, 717, 4772, 1982, 705, 2524])
    classes = np.repeat(np.arange(7), counts)
    names = np.array([f"train_{i:05}.jpg" for i in range(1, 12272)])
    held = hold_out(names, classes, np.full(12271, -1), 0.1, 0)
    assert np.bincount(classes[held]).tolist() == [129, 28, 72, 477, 198, 70, 252]


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    groups = np.where(rng.random(1000) < 0.5, rng.integers(0, 150, 1000), -1)
    classes = rng.integers(0, 3, 1000)
    names = np.arange(1000).astype(str)
    held = hold_out(names, classes, groups, 0.1, 5)
    assert all(len(set(held[groups == g])) == 1 for g in range(150) if g in groups)
    assert 80 < held.sum() < 120


def test_identical_faces_are_never_parted(tmp_path):
    home = write(tmp_path / "rafdb")
    images = home / "Image" / "aligned"
    for i in (7, 14, 21):
        save(images / f"train_{i:05}_aligned.jpg", 999)
    save(images / "test_0003_aligned.jpg", 999)
    for seed in range(12):
        faces = load(tmp_path, split_seed=seed)
        same = faces.splits[faces.table["group"] == 0]
        assert len(set(same[1:])) == 1 and same[0] == "test"
        in_train = faces.ids[faces.duplicate_of_train].tolist()
        assert in_train == (["test_0003.jpg"] if same[1] == "train" else [])


def test_near_copies_are_never_parted(tmp_path):
    home = write(tmp_path / "rafdb")
    images = home / "Image" / "aligned"
    for quality, name in ((60, "train_00014"), (70, "train_00021"), (80, "test_0003")):
        with Image.open(images / "train_00007_aligned.jpg") as image:
            image.save(images / f"{name}_aligned.jpg", quality=quality)
    found = set()
    for seed in range(12):
        faces = load(tmp_path, split_seed=seed)
        assert (faces.table["group"] == -1).all()
        same = faces.splits[faces.table["near"] == 0]
        found.add(same[1])
        assert same[0] == "test" and len(set(same[1:])) == 1 and len(same) == 4
        marked = faces.ids[faces.near_copy_of_train].tolist()
        assert marked == (["test_0003.jpg"] if same[1] == "train" else [])
        assert not faces.duplicate_of_train.any()
    assert found == {"train", "val"}


def test_the_first_of_two_rows_counts(tmp_path):
    home = write(tmp_path / "rafdb")
    with open(home / "EmoLabel" / "list_patition_label.txt", "a") as file:
        file.write("\ntest_0001.jpg 7\n")
    faces = load(tmp_path)
    assert faces.targets[0] == OURS[2] and faces.table.attrs["repeated"] == ["test_0001.jpg"]


def replace_row(number, text):
    def change(home):
        path = home / "EmoLabel" / "list_patition_label.txt"
        lines = path.read_text().splitlines()
        lines[number - 1] = text
        path.write_text("\n".join(lines))

    return change


def image(name):
    return lambda home: home / "Image" / "aligned" / f"{name}_aligned.jpg"


FIRST = image("train_00001")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (replace_row(2, "train_00002.jpg"), "label.txt, row 2: expected a name and a code"),
        (replace_row(2, "train_2.png 3"), "row 2: expected a name and a code"),
        (replace_row(2, "train_00002.jpg 8"), "row 2: expression '8', expected 1 to 7"),
        (replace_row(2, "train_00002.jpg 0"), "row 2: expression '0', expected 1 to 7"),
        (replace_row(2, "train_00099.jpg 1"), "1 rows of list_patition_label.txt have no image, "
         "the first is train_00099_aligned.jpg in row 2"),
        (replace_row(2, ""), "1 images have no row in list_patition_label.txt, the first is "
         "train_00002_aligned.jpg"),
        (lambda h: (h / "EmoLabel" / "list_patition_label.txt").write_text(""), "is empty"),
        (lambda h: (h / "EmoLabel" / "list_patition_label.txt").unlink(), "label.txt is missing"),
        (lambda h: (h / "Image" / "aligned").rename(h / "x"), "aligned is missing: put the"),
        (lambda h: FIRST(h).write_bytes(b""), "1 of 77 images cannot be used"),
        (lambda h: save(FIRST(h), 0, (100, 90)), "has 100x90 pixels, expected 100x100"),
        (lambda h: save(FIRST(h), 0, mode="L"), "has mode L, expected RGB"),
    ],
)  # fmt: skip
def test_damage(tmp_path, change, wanted):
    change(write(tmp_path / "rafdb"))
    assert wanted in error(tmp_path)
