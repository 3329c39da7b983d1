"""Damaged data: whatever is wrong, loading succeeds or says so in one line.

$OCCKD_FUZZ: how often each layout is damaged (25).
"""

import csv
import os
import random
import shutil
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from occkd_lib.data import load_faces
from occkd_lib.data.readers import affectnet, ferplus
from occkd_lib.errors import OcckdError

TIMES = int(os.environ.get("OCCKD_FUZZ", "25"))
NASTY = (
    "", " ", "-1", "1e999", "nan", "9" * 30, "9" * 5000, "٣", "NULL", "../x", "/etc/passwd", "a\nb",
    '"', ",", "\0", "\ufffd", "x" * 300, "0.5", "true", "..",
)  # fmt: skip


def picture(seed, size, mode="RGB"):
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((size, size)).convert(mode)


# --- every layout, small --------------------------------------------------------------------


def ferplus_folders(root):
    for split, name in enumerate(ferplus.FOLDERS.values()):
        (root / "ferplus" / name).mkdir(parents=True)
        with open(root / "ferplus" / name / "label.csv", "w") as file:
            for i in range(4):
                picture(10 * split + i, 48, "L").save(root / "ferplus" / name / f"fer{i}.png")
                votes = [9 if k == i else 0 for k in range(9)]
                file.write(",".join(map(str, [f"fer{i}.png", "box", *votes, 1])) + "\n")


def ferplus_zip(root):
    ferplus_folders(root)
    with zipfile.ZipFile(root / "ferplus.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.*")):
            if file.is_file() and file.suffix != ".zip":
                archive.write(file, file.relative_to(root))
    shutil.rmtree(root / "ferplus")


def ferplus_csv(root):
    (root / "ferplus").mkdir()
    rows = [(usage, f"fer{u}{i}.png") for u, usage in enumerate(ferplus.USAGES) for i in range(3)]
    with open(root / "ferplus" / "fer2013.csv", "w") as images:
        images.write("emotion,pixels,Usage\n")
        for i, (usage, _) in enumerate(rows):
            pixels = np.asarray(picture(i, 48, "L")).ravel()
            images.write(f"0,{' '.join(map(str, pixels))},{usage}\n")
    with open(root / "ferplus" / "fer2013new.csv", "w") as votes:
        votes.write(",".join(["Usage", "Image name", *ferplus.VOTES]) + "\n")
        for i, (usage, name) in enumerate(rows):
            votes.write(
                ",".join([usage, name, *("9" if k == i % 8 else "0" for k in range(10))]) + "\n"
            )


def utkface_folder(root):
    (root / "UTKFace").mkdir()
    for age in range(10, 22):
        picture(age, 24).save(root / "UTKFace" / f"{age}_{age % 2}_1_2017.jpg.chip.jpg")


def utkface_tar(root):
    utkface_folder(root)
    with tarfile.open(root / "utkface.tar.gz", "w:gz") as archive:
        archive.add(root / "UTKFace", "UTKFace")
    shutil.rmtree(root / "UTKFace")


def rafdb(root):
    for folder in ("EmoLabel", "Image/aligned"):
        (root / "rafdb" / folder).mkdir(parents=True)
    names = [f"{'train' if i < 9 else 'test'}_{i:05}" for i in range(12)]
    lines = [f"{name}.jpg {i % 7 + 1}\n" for i, name in enumerate(names)]
    (root / "rafdb" / "EmoLabel" / "list_patition_label.txt").write_text("".join(lines))
    for i, name in enumerate(names):
        picture(i, 100).save(root / "rafdb" / "Image" / "aligned" / f"{name}_aligned.jpg")


def affectnet_lists(root):
    home = root / "affectnet"
    (home / "Manually_Annotated_Images" / "1").mkdir(parents=True)
    for name, low in (("training", 0), ("validation", 6)):
        with open(home / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(affectnet.COLUMNS)
            for i in range(low, low + 6):
                writer.writerow([f"1/{i}.jpg", 2, 2, 20, 21, "1;2", i % 8, 0.1, 0.2])
                picture(i, 30).save(home / "Manually_Annotated_Images" / "1" / f"{i}.jpg")


def affectnet_sets(root):
    for name in ("train_set", "val_set"):
        for inner in ("images", "annotations"):
            (root / "affectnet" / name / inner).mkdir(parents=True)
        for i in range(3):
            picture(i, 224).save(root / "affectnet" / name / "images" / f"{i}.jpg")
            np.save(root / "affectnet" / name / "annotations" / f"{i}_exp.npy", np.array(str(i)))


def own_csv(root):
    (root / "own").mkdir()
    rows = [("file", "label", "split", "person")]
    for i in range(12):
        picture(i, 20).save(root / "own" / f"{i}.{'png' if i % 2 else 'jpg'}")
        split = ("train", "val", "test")[i % 3]
        rows.append((f"{i}.{'png' if i % 2 else 'jpg'}", ("sad", "happy")[i % 2], split, f"p{i}"))
    with open(root / "own" / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)


def own_parquet(root):
    own_csv(root)
    table = pd.read_csv(root / "own" / "list.csv").drop(columns=["split", "person"])
    table.to_parquet(root / "own" / "list.parquet")
    (root / "own" / "list.csv").unlink()


FER = {"name": "ferplus", "task": "expression", "labels": "crossentropy"}
UTK = {"name": "utkface", "task": "age"}
RAF = {"name": "rafdb", "task": "expression"}
AFFECT = {"name": "affectnet", "task": "expression", "classes": 7}
OWN = {"name": "folder", "task": "expression", "size": 16}
LAYOUTS = {
    ferplus_folders: FER,
    ferplus_zip: FER,
    ferplus_csv: FER,
    utkface_folder: UTK,
    utkface_tar: UTK,
    rafdb: RAF,
    affectnet_lists: AFFECT,
    affectnet_sets: AFFECT,
    own_csv: {**OWN, "path": "own/list.csv"},
    own_parquet: {**OWN, "path": "own/list.parquet"},
}

# --- what can go wrong ----------------------------------------------------------------------


def flip(path, rng):
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)


def truncate(path, rng):
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def remove(path, rng):
    path.unlink()


def remove_folder(path, rng):
    shutil.rmtree(path.parent)


def rename(path, rng):
    ending = rng.choice((path.suffix, path.suffix.upper(), "", ".txt")).encode()
    name = (
        rng.choice((b"x", b"\xff\xfe", b"a\nb", b".hidden", b"1_1_1_1.jpg.chip", b"fer9")) + ending
    )
    os.rename(path, os.path.join(os.fsencode(path.parent), name))


def link(path, rng):
    path.unlink()
    path.symlink_to(rng.choice(("nowhere", "/", path.name)))


def folder_instead(path, rng):
    path.unlink()
    path.mkdir()


def other_bytes(path, rng):
    path.write_bytes(
        rng.choice((b"", b"\xff\xd8\xff", b"PK\3\4", b"\x89PNG\r\n", rng.randbytes(200)))
    )


def no_text(path, rng):
    with open(path, "ab") as file:
        file.write(b"caf\xe9,\xff\n")


def cell(path, rng):
    """One cell of a list damaged, or one of its lines lost, doubled or moved."""
    lines = path.read_text(errors="surrogateescape").split("\n")
    row = rng.randrange(len(lines))
    separator = " " if path.suffix == ".txt" else ","
    cells = lines[row].split(separator)
    cells[rng.randrange(len(cells))] = rng.choice(NASTY)
    lines[row : row + 1] = rng.choice(
        ([separator.join(cells)], [separator.join(cells)], [], [lines[row]] * 2, [lines[row - 1]])
    )
    path.write_text("\n".join(lines), errors="surrogateescape")


ANY = (flip, truncate, remove, remove_folder, rename, link, folder_instead, other_bytes)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_damage(layout, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    options = LAYOUTS[layout]
    whole = tmp_path / "whole"
    whole.mkdir()
    layout(whole)
    assert len(load_faces(root=whole, cache=False, **options)) > 5
    endings = []
    for number in range(TIMES):
        rng = random.Random(f"{layout.__name__}{number}")
        root = tmp_path / "damaged"
        shutil.copytree(whole, root, symlinks=True)
        for _ in range(rng.choice((1, 1, 2))):
            files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
            lists = [p for p in files if p.suffix in (".csv", ".txt")]
            listed = bool(lists) and rng.random() < 0.5
            path = rng.choice(lists if listed else files) if files else root / "none"
            harm = rng.choice((cell, cell, no_text, flip) if listed else ANY)
            if path.is_file():
                harm(path, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            endings.append(
                ending(root, rng.random() < 0.3, options, f"{number}: {harm.__name__} {path}")
            )
        shutil.rmtree(root, ignore_errors=True)  # a harm may have been faster
    assert "told" in endings


def ending(root: Path, cache: bool, options: dict, what: str) -> str:
    try:
        faces = load_faces(root=root, cache=cache, **options)
    except OcckdError as error:
        message = str(error)
        assert message and "\n" not in message, what
        message.encode()
        return "told"
    except Exception as error:
        raise AssertionError(what) from error
    assert len(faces) and faces.fingerprint()
    return "loaded"
