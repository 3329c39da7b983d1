"""AffectNet: faces of the web with one of eight expressions, in its two published layouts.

A. Mollahosseini, B. Hasani, M. Mahoor, IEEE Trans. Affective Computing 2019.

The rules are those of the journal paper (sec. 4.1): no training class has more than 15,000 faces,
which leaves 88,021 of 287,651, chosen here by a seed; the published validation set is the test
set. There is no validation split: hyperparameters are taken over from FER+. ``most: all`` leaves
the classes as unequal as they are: without contempt 283,901 faces, 43 GB once decoded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from occkd_lib.data.cache import Decoding, decoded, stamp
from occkd_lib.data.copies import with_copies
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.decode import channels_first, halves_resized, open_image
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.listing import check_listed, existing, files_in, first_rows, homes, titled_rows
from occkd_lib.data.splits import at_most
from occkd_lib.data.vocabularies import EXPRESSIONS, VOCABULARIES, relabelled
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

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
INNER = (("images", ".jpg"), ("annotations", "_exp.npy"))  # folders of a set, endings in them
MOST = 15_000  # faces of a training class
SIZE = 224  # width and height in pixels

# training faces of each class, in the order of CODES: 287,651 in all (A. Mollahosseini et al.)
COUNTS = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)
TEST = 500  # faces of each class

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


class AffectNetSettings(DataSettings):
    """split_seed: chooses the training faces. most: of a class; "all" cuts none, and nothing is
    chosen. classes: 7 without contempt.
    """

    name: Literal["affectnet"] = "affectnet"
    split_seed: int = 0
    most: Literal["all"] | Annotated[int, Field(ge=1)] = MOST
    classes: Literal[7, 8] = 8

    @field_validator("most", mode="wrap")
    @classmethod
    def _one_message(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError:  # has a line for each of the two
            raise ValueError(
                f"{value!r} is neither a number of faces (1 or more) nor 'all'"
            ) from None


class Face(NamedTuple):
    """One label. id: the image's name below its set. box: of the face; None = already cropped."""

    split: str
    id: str
    path: Path
    code: int
    box: Box | None = None


def find(root: Path, settings: Any = None) -> Path | None:
    """Where AffectNet lies under ``root``: the folder that holds its lists, or its two sets."""
    places = homes(root, "affectnet")
    return next((home for home in places if _lists(home) or _has_sets(home)), None)


def _has_sets(home: Path) -> bool:
    return any((home / folder).is_dir() for folder in SETS.values())


def _lists(home: Path) -> Path | None:
    """The folder of training.csv and validation.csv."""
    places = (home, home / "Manually_Annotated_file_lists")
    return next((p for p in places if any((p / name).is_file() for name in LISTS.values())), None)


def load(path: Path, settings: AffectNetSettings, task: str, cache: bool) -> FaceSet:
    """The faces of ``path`` (see ``find``), 224 x 224 RGB, train before test, by name.

    The faces beyond ``settings.most`` are never decoded, so copies are looked for among the chosen
    ones. The split is official. ``table``: ``group`` and ``near`` (see ``copies``);
    ``table.attrs["repeated"]``: names listed more than once, of which the first counts.
    """
    lists = _lists(path)
    if lists and _has_sets(path):
        raise OcckdError(f"{path} holds both {LISTS['train']} and {SETS['train']}/: keep one")
    if lists:
        name = "Manually_Annotated_Images"
        home = existing(
            path / name, path / "Manually_Annotated" / name, remedy="put AffectNet's images there"
        )
        walk = (Path(folder, name) for folder, _, names in os.walk(home) for name in names)
        images = [image for image in walk if not image.name.startswith(".")]
        sources = [lists / name for name in LISTS.values() if (lists / name).is_file()]
    else:
        folders = [(path / name / inner, end) for name in SETS.values() for inner, end in INNER]
        images = [file for folder, ending in folders for file in files_in(folder, ending)]
        sources = []

    def start() -> Decoding:
        faces, repeated = _listed(lists, home, images) if lists else (_annotated(path), [])
        return _decoding(faces, repeated, settings)

    choice = ("all",) if settings.most == "all" else (settings.most, settings.split_seed)
    pixels, table = decoded("affectnet", [*sources, *images], start, choice=choice, cache=cache)
    faces = face_set(settings, task, "affectnet8", pixels, with_copies(table))
    return faces if settings.classes == 8 else relabelled(faces, vocabulary(settings))


def vocabulary(settings: AffectNetSettings, task: str = "expression") -> str:
    """With contempt or without it."""
    return f"affectnet{settings.classes}"


def _decoding(faces: list[Face], repeated: list[str], settings: AffectNetSettings) -> Decoding:
    """The faces with an expression, cut to ``settings.most`` a training class."""
    faces = [face for face in faces if face.code < len(EXPRESSIONS)]
    faces.sort(key=lambda face: (face.split == "test", face.id))
    classes = np.array([EXPRESSIONS.index(CODES[face.code]) for face in faces], dtype=np.int64)
    train = np.array([face.split == "train" for face in faces], dtype=bool)
    names = np.array([face.id for face in faces])
    kept = np.ones(len(faces), dtype=bool)
    if settings.most != "all":
        kept[train] = at_most(names[train], classes[train], settings.most, settings.split_seed)
    chosen = [faces[i] for i in np.flatnonzero(kept)]
    splits = [face.split for face in chosen]
    table = pd.DataFrame({"split": splits, "name": names[kept], "target": classes[kept]})
    table.attrs["repeated"] = repeated
    stamps = [stamp(f"{face.id}|{face.box}", face.path) for face in chosen]
    return Decoding(table, (3, SIZE, SIZE), lambda i: crop(chosen[i].path, chosen[i].box), stamps)


def crop(path: Path, box: Box | None) -> np.ndarray:
    """The face in an image file, 3 x 224 x 224 uint8; the box is clipped to the image.

    Its upper and lower half are resized each by itself (see ``halves_resized``), since the book
    hides native pixels.
    Raises OcckdError for a damaged image, a box outside it or, without a box, another size.
    """
    image = open_image(path.read_bytes, path)
    wide, high = image.size
    if box is None:
        if image.size != (SIZE, SIZE):
            raise OcckdError(f"{path} has {wide}x{high} pixels, expected {SIZE}x{SIZE}")
        return channels_first(image.convert("RGB"))
    x, y, width, height = box
    left, top = max(round(x), 0), max(round(y), 0)
    right, bottom = min(round(x + width), wide), min(round(y + height), high)
    if left >= right or top + 1 >= bottom:  # two halves need two rows
        place = ", ".join(f"{number:g}" for number in box)
        raise OcckdError(f"{path}: its box ({place}) holds nothing of its {wide}x{high} pixels")
    face = image.crop((left, top, right, bottom)).convert("RGB")
    return channels_first(halves_resized(face, SIZE))


# --- the release with lists -----------------------------------------------------------------


def _listed(lists: Path, home: Path, images: list[Path]) -> tuple[list[Face], list[str]]:
    """The labels of both lists, checked against the images below ``home``, and repeated names."""
    there = {image.relative_to(home).as_posix() for image in images}
    labels, repeated = first_rows(_rows(lists, home))
    for split, name in LISTS.items():
        listed = {n: label for n, label in labels.items() if label[1].split == split}
        check_listed(home, there & listed.keys(), listed, name, "path, box, expression, ...")
    return [face for _, face in labels.values()], repeated


def _rows(lists: Path, home: Path) -> Iterator[tuple[int, str, Face]]:
    """(row number, name of the image, label) of both lists."""
    for split, name in LISTS.items():
        file = existing(lists / name, remedy=f"AffectNet needs {' and '.join(LISTS.values())}")
        needed = (*COLUMNS[:5], "expression")
        for number, row in titled_rows(file, COLUMNS, needed):  # one published copy has no titles
            face = _face(f"{file}, row {number}", row, split, home)
            yield number, face.id, face


def _face(where: str, row: dict[str, str], split: str, home: Path) -> Face:
    """The label in a row of a list; ``row``: title -> cell."""
    code = _code(row["expression"], where)
    name, box = row[COLUMNS[0]], None
    if code < len(EXPRESSIONS):  # the others may have "NULL" for a box
        cells = [row[column] for column in COLUMNS[1:5]]
        try:
            x, y, width, height = map(float, cells)
            box = (x, y, width, height)
        except ValueError:
            box = (math.nan,) * 4
        if not all(map(math.isfinite, box)):
            found = ", ".join(cells)
            raise OcckdError(f"{where}: expected a box of four numbers, found {found}")
    return Face(split, name, home / name, code, box)


def _code(text: str, where: object) -> int:
    text = text.strip()
    if text not in map(str, range(len(CODES))):
        raise OcckdError(f"{where}: expression {text!r}, expected 0 to {len(CODES) - 1}")
    return int(text)


# --- the release with an annotation file an image -------------------------------------------


def _annotated(home: Path) -> list[Face]:
    """The labels of train_set/ and val_set/, each checked against its images."""
    faces: list[Face] = []
    for split, name in SETS.items():
        images, labels = (
            {f.name.lower().removesuffix(end): f for f in files_in(home / name / inner, end)}
            for inner, end in INNER
        )
        for (inner, end), files in zip(INNER, (images, labels), strict=True):
            folder, lost = home / name / inner, {*images, *labels} - files.keys()
            if not files:
                raise OcckdError(f"{folder} is missing or empty: AffectNet needs it")
            if lost:
                raise OcckdError(
                    f"{folder}: {len(lost)} files NAME{end} are missing, the first is "
                    f"{min(lost)}{end}: add what is missing or remove its counterpart"
                )
        with ThreadPoolExecutor(8) as pool:  # files of a few bytes: waiting for the disk
            codes = pool.map(_annotation, (labels[stem] for stem in images))
        faces += [
            Face(split, f"{name}/{file.name}", file, code)
            for file, code in zip(images.values(), codes, strict=True)
        ]
    return faces


def _annotation(file: Path) -> int:
    """The code in an .npy file: one number, or its digits as a text."""
    try:
        value = np.load(file, allow_pickle=False).item()
    except Exception as error:  # numpy raises nearly anything on damaged bytes
        why = one_line(error)
        raise OcckdError(f"{file} is not a readable annotation ({why}): replace it") from None
    text = f"{value:g}" if isinstance(value, (int, float)) else f"{value}"
    return _code(value.decode(errors="replace") if isinstance(value, bytes) else text, file)


def sizes(settings: AffectNetSettings) -> tuple[int, int]:
    """What the cut leaves of the lists, and no validation faces."""
    counts = dict(zip(CODES, COUNTS, strict=False))
    names = VOCABULARIES[vocabulary(settings)]
    most = max(COUNTS) if settings.most == "all" else settings.most
    return sum(min(counts[name], most) for name in names), 0


def published(settings: AffectNetSettings) -> tuple[int, ...]:
    """The lists, whole or cut as in the journal; the release without them has a test face less."""
    known = settings.most in (MOST, "all")
    return (*sizes(settings), TEST * settings.classes) if known else ()


DATA_SET = DataSet(
    name="affectnet",
    title="AffectNet, manually annotated",
    tasks=("expression",),
    settings=AffectNetSettings,
    load=load,
    find=find,
    classes=vocabulary,
    has_validation=lambda settings: False,
    sizes=sizes,
    published=published,
    source="it from http://mohammadmahoor.com/affectnet/ (heads of laboratories apply; "
    "research only)",
    size="about 120 GB as photographs, 4 GB as faces of 224 pixels",
    layout="affectnet/training.csv and validation.csv beside affectnet/Manually_Annotated_Images/; "
    "or affectnet/train_set/ and val_set/, each with images/N.jpg and annotations/N_exp.npy",
)
