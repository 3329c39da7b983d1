"""AffectNet: faces of the web with one of eight expressions, in its two published layouts.

A. Mollahosseini, B. Hasani, M. Mahoor, IEEE Trans. Affective Computing 2019.

The rules are those of the journal paper (sec. 4.1): no training class has more than 15,000 faces,
which leaves 88,021 of 287,651, chosen here by a seed; the published validation set is the test
set. There is no validation split: hyperparameters are taken over from FER+.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from occkd_lib.data.cache import Decoding, decoded, repeats_of_train
from occkd_lib.data.decode import open_image, planes
from occkd_lib.data.faceset import EXPRESSIONS, FaceSet
from occkd_lib.data.listing import check_listed, csv_rows
from occkd_lib.data.splits import at_most
from occkd_lib.errors import OcckdError

CODES = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt",
    "none", "uncertain", "not a face",
)  # fmt: skip
COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks",
    "expression", "valence", "arousal",
)  # fmt: skip
LISTS = {"train": "training.csv", "test": "validation.csv"}
SETS = {"train": "train_set", "test": "val_set"}
INNER, ENDING = ("images", "annotations"), "_exp.npy"
MOST = 15_000  # faces of a training class
SIZE = 224  # width and height in pixels

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


class Face(NamedTuple):
    """One label. id: the image's name below its set. box: of the face; None = already cropped."""

    split: str
    id: str
    path: Path
    code: int
    box: Box | None = None


def find(root: Path) -> Path | None:
    """Where AffectNet lies under ``root``: the folder that holds its lists, or its two sets."""
    if not root.is_dir():
        return None
    called = [p for p in sorted(root.iterdir()) if p.name.lower() == "affectnet" and p.is_dir()]
    for home in (*called, root):
        if _lists(home) or any((home / folder).is_dir() for folder in SETS.values()):
            return home
    return None


def _lists(home: Path) -> Path | None:
    """The folder of training.csv and validation.csv."""
    for folder in (home, home / "Manually_Annotated_file_lists"):
        if any((folder / name).is_file() for name in LISTS.values()):
            return folder
    return None


def load(path: Path, *, split_seed: int = 0, most: int = MOST, cache: bool = True) -> FaceSet:
    """The faces of ``path`` (see ``find``), 224 x 224 RGB, train before test, by name.

    ``split_seed`` chooses the ``most`` faces of a training class; the others are never decoded,
    so ``duplicate_of_train`` compares with the chosen ones. The split is official. ``table``:
    ``group`` (pixel-identical faces, -1 = unique); ``table.attrs["repeated"]``: names listed more
    than once, of which the first counts.
    """
    lists = _lists(path)
    if lists and any((path / folder).is_dir() for folder in SETS.values()):
        raise OcckdError(f"{path} holds both {LISTS['train']} and {SETS['train']}/: keep one")
    if lists:
        home = _image_folder(path)
        images = [Path(folder, name) for folder, _, names in os.walk(home) for name in names]
        images = [image for image in images if not image.name.startswith(".")]
        sources = [lists / name for name in LISTS.values() if (lists / name).is_file()]
    else:
        home = path
        folders = [path / name / inner for name in SETS.values() for inner in INNER]
        images = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
        images = [p for p in images if p.suffix.lower() == ".jpg" or p.name.endswith(ENDING)]
        sources = []

    def start() -> Decoding:
        repeated: list[str] = []
        faces = _listed(lists, home, images, repeated) if lists else _annotated(path, images)
        return _decoding(faces, repeated, most, split_seed)

    pixels, table = decoded(
        "affectnet", [*sources, *images], start, choice=(most, split_seed), cache=cache
    )
    splits = table["split"].to_numpy(dtype=str)
    return FaceSet(
        name="affectnet",
        task="expression",
        classes=EXPRESSIONS,
        images=pixels,
        targets=torch.tensor(table["expression"].to_numpy(np.int64)),
        ids=table["name"].to_numpy(dtype=str),
        splits=splits,
        duplicate_of_train=repeats_of_train(table["group"].to_numpy(), splits),
        table=table[["group"]],
    )


def _decoding(faces: list[Face], repeated: list[str], most: int, seed: int) -> Decoding:
    """The faces with an expression, cut to ``most`` a training class."""
    faces = [face for face in faces if face.code < len(EXPRESSIONS)]
    faces.sort(key=lambda face: (face.split == "test", face.id))
    classes = np.array([EXPRESSIONS.index(CODES[face.code]) for face in faces], dtype=np.int64)
    train = np.array([face.split == "train" for face in faces], dtype=bool)
    kept = ~train
    kept[train] = at_most(np.array([f.id for f in faces])[train], classes[train], most, seed)
    chosen = [faces[i] for i in np.flatnonzero(kept)]
    table = pd.DataFrame(
        {
            "split": [face.split for face in chosen],
            "name": [face.id for face in chosen],
            "expression": classes[kept],
        }
    )
    table.attrs["repeated"] = repeated
    known = [face.path.stat() for face in chosen]
    stamps = [
        f"{face.id}|{face.box}|{stat.st_size}|{stat.st_mtime_ns}"
        for face, stat in zip(chosen, known, strict=True)
    ]
    return Decoding(table, (3, SIZE, SIZE), lambda i: crop(chosen[i].path, chosen[i].box), stamps)


def crop(path: Path, box: Box | None) -> np.ndarray:
    """The face in an image file, 3 x 224 x 224 uint8; the box is clipped to the image.

    Raises OcckdError for a damaged image, a box outside it or, without a box, another size.
    """
    image = open_image(path.read_bytes, path)
    wide, high = image.size
    if box is None:
        if image.size != (SIZE, SIZE):
            raise OcckdError(f"{path} has {wide}x{high} pixels, expected {SIZE}x{SIZE}")
        return planes(image.convert("RGB"))
    x, y, width, height = box
    left, top = max(round(x), 0), max(round(y), 0)
    right, bottom = min(round(x + width), wide), min(round(y + height), high)
    if left >= right or top >= bottom:
        place = ", ".join(f"{number:g}" for number in box)
        raise OcckdError(f"{path}: its box ({place}) holds nothing of its {wide}x{high} pixels")
    face = image.crop((left, top, right, bottom)).convert("RGB")
    return planes(face.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


# --- the release with lists -----------------------------------------------------------------


def _image_folder(home: Path) -> Path:
    name = "Manually_Annotated_Images"
    for folder in (home / name, home / "Manually_Annotated" / name):
        if folder.is_dir():
            return folder
    raise OcckdError(f"{home / name} is missing: put the images of AffectNet there")


def _listed(lists: Path, home: Path, images: list[Path], repeated: list[str]) -> list[Face]:
    """The labels of both lists, checked against the images below ``home``."""
    there = {image.relative_to(home).as_posix(): image for image in images}
    faces: dict[str, Face] = {}
    for split, name in LISTS.items():
        file = lists / name
        if not file.is_file():
            raise OcckdError(f"{file} is missing: AffectNet needs {' and '.join(LISTS.values())}")
        rows: dict[str, int] = {}
        for number, cells in csv_rows(file):
            if number == 1:  # one published copy of the lists has no row of titles
                titles = tuple(cells) if COLUMNS[0] in cells else COLUMNS
                if not set(titles) >= {*COLUMNS[:5], "expression"}:
                    raise OcckdError(f"{file}, row 1: expected the columns {', '.join(COLUMNS)}")
                if titles is not COLUMNS:
                    continue
            face = _face(file, number, titles, cells, split, home)
            if face.id in faces:
                repeated.append(face.id)
                continue
            faces[face.id] = face
            rows[face.id] = number
        if not rows:
            raise OcckdError(f"{file} holds no labels: get it again")
        lost = {name: number for name, number in rows.items() if name not in there}
        check_listed(home, (), lost, name)
    return list(faces.values())


def _face(
    file: Path, number: int, titles: tuple[str, ...], cells: list[str], split: str, home: Path
) -> Face:
    where = f"{file}, row {number}"
    if len(cells) != len(titles):
        raise OcckdError(f"{where}: {len(cells)} columns, expected {len(titles)}")
    row = dict(zip(titles, cells, strict=True))
    code = _code(row["expression"], where)
    name, box = row[COLUMNS[0]].strip(), None
    if code < len(EXPRESSIONS):  # the others may have "NULL" for a box
        try:
            x, y, width, height = (float(row[column]) for column in COLUMNS[1:5])
        except ValueError:
            found = ", ".join(row[column] for column in COLUMNS[1:5])
            raise OcckdError(f"{where}: expected a box of four numbers, found {found}") from None
        box = (x, y, width, height)
    return Face(split, name, home / name, code, box)


def _code(text: str, where: object) -> int:
    text = text.strip()
    if not text.isdecimal() or int(text) >= len(CODES):
        raise OcckdError(f"{where}: expression {text!r}, expected 0 to {len(CODES) - 1}")
    return int(text)


# --- the release with an annotation file an image -------------------------------------------


def _annotated(home: Path, files: Iterable[Path]) -> list[Face]:
    """The labels of train_set/ and val_set/, each checked against its images."""
    by_folder: dict[Path, set[str]] = {}
    for file in files:
        by_folder.setdefault(file.parent, set()).add(file.name)
    faces: list[Face] = []
    for split, name in SETS.items():
        images, annotations = (home / name / inner for inner in INNER)
        there, labels = by_folder.get(images, set()), by_folder.get(annotations, set())
        there = {n for n in there if not n.startswith(".")}
        if not there or not labels:
            lacking = images if not there else annotations
            raise OcckdError(f"{lacking} is missing or empty: AffectNet needs it")
        numbers = sorted(Path(n).stem for n in there)
        stems = {n.removesuffix(ENDING) for n in labels}
        for one, other, what in (
            (set(numbers) - stems, images, f"no annotation (NAME{ENDING})"),
            (stems - set(numbers), annotations, "no image (NAME.jpg)"),
        ):
            if one:
                raise OcckdError(
                    f"{other}: {len(one)} files have {what}, the first is {min(one)}: "
                    "add what is missing or remove them"
                )
        with ThreadPoolExecutor(8) as pool:  # files of a few bytes: waiting for the disk
            codes = list(pool.map(_annotation, (annotations / f"{n}{ENDING}" for n in numbers)))
        paths = {Path(n).stem: images / n for n in there}
        faces += [
            Face(split, f"{name}/{paths[n].name}", paths[n], code)
            for n, code in zip(numbers, codes, strict=True)
        ]
    return faces


def _annotation(file: Path) -> int:
    """The code in an .npy file: one number, or its digits as a text."""
    try:
        value = np.load(file, allow_pickle=False).item()
    except (ValueError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())
        raise OcckdError(f"{file} is not a readable annotation ({reason}): replace it") from None
    text = f"{value:g}" if isinstance(value, (int, float)) else f"{value}"
    return _code(value.decode(errors="replace") if isinstance(value, bytes) else text, file)
