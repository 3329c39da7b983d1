"""Your own faces: a CSV or parquet file with a row an image, beside images of any size.

    file,label,split,person,box    split, person and box may be left out
    anna/1.jpg,happy,train,anna,
    ben/7.png,angry,test,ben,40 30 200 190

Without ``split``, 60/20/20 of the faces are drawn by a seed; faces of one person, and near copies,
stay together.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from occkd_lib.data.cache import Decoding, decoded, stamp
from occkd_lib.data.copies import together, with_copies
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.decode import WIDE, channels_first, halves_resized, narrowed, open_image
from occkd_lib.data.faceset import SPLITS, FaceSet
from occkd_lib.data.listing import titled_rows
from occkd_lib.data.splits import three_ways
from occkd_lib.data.vocabularies import EXPRESSIONS, GENDERS, canonical
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean
from occkd_lib.project import here, one_line
from occkd_lib.runs import fingerprint
from occkd_lib.tasks import TASKS, task_of

KNOWN = {"expression": EXPRESSIONS, "gender": GENDERS}  # classes of tasks that have their own


class FolderSettings(DataSettings):
    """path: of the CSV or parquet, from the data root or else where the command is given. size:
    width and height in pixels that every image is brought to. file, label, split, person, box:
    names of columns. box: where the face is, "left top right bottom" in pixels; empty: everywhere.
    classes: in their order; default: the labels that occur, sorted (expressions in the book's
    order). split_seed: of the 60/20/20 split."""

    name: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    size: int = Field(ge=16, le=1024)
    channels: Literal[1, 3] = 3
    file: str = "file"
    label: str = "label"
    split: str = "split"
    person: str = "person"
    box: str = Field("box", exclude_if=lambda name: name == "box")
    classes: tuple[str, ...] = ()
    split_seed: int = 0

    @field_validator("classes")
    @classmethod
    def _different_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if classes and (len(classes) < 2 or len(set(map(canonical, classes))) < len(classes)):
            raise ValueError("there must be two or more, all different")
        return classes


class Row(NamedTuple):
    """What the list says of an image. number: of the row, as an editor counts them; where: it, and
    the list."""

    number: int
    where: str
    file: str
    label: str
    split: str
    person: str
    box: tuple[int, int, int, int] | None


def find(root: Path, settings: FolderSettings | None) -> Path | None:
    """The list that ``settings.path`` names."""
    if settings is None:
        return None
    places = (home / Path(settings.path).expanduser() for home in (root, here()))
    return next((place for place in places if place.is_file()), None)


def load(path: Path, settings: FolderSettings, task: str, cache: bool) -> FaceSet:
    """The faces of the list ``path``, C x size x size, sorted by file.

    Grey or colour as ``settings.channels`` says, upright by EXIF; the two halves of an image are
    resized each by itself (see ``halves_resized``). ``table``: ``person``, ``group``, ``near``.
    """
    rows = sorted(read(path, settings), key=lambda row: row.file)
    targets, classes = targets_of(rows, settings, task, path)
    files = [path.parent / row.file for row in rows]
    shape = (settings.channels, settings.size, settings.size)
    boxes = [row.box for row in rows]
    choice = (*shape, fingerprint(boxes)) if any(boxes) else shape

    def start() -> Decoding:
        table = pd.DataFrame({"name": [row.file for row in rows]})
        stamps = [stamp(file, file) for file in files]
        return Decoding(table, shape, lambda i: picture(files[i], rows[i], settings), stamps)

    images, table = decoded("folder", files, start, choice=choice, cache=cache)
    table = table.assign(target=targets, person=[row.person for row in rows])
    # who has no name is alone: -1 in either grouping
    people = pd.factorize(table["person"].replace("", None))[0]
    near = together(table["near"].to_numpy(), people)
    table = with_copies(table.assign(split=splits_of(rows, near, settings, path)))
    return face_set(settings, task, classes, images, table)


def picture(file: Path, row: Row, settings: FolderSettings) -> np.ndarray:
    """One image as the settings want it, C x size x size uint8."""
    where = f"{row.where}: {row.file}"
    image = open_image(file.read_bytes, where, upright=True)
    if image.mode in WIDE:
        image = narrowed(image)
    elif image.mode in ("I", "F"):
        raise OcckdError(f"{where} has mode {image.mode}: save it with 8 bits a channel")
    if row.box:
        left, top, right, bottom = row.box
        if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
            raise OcckdError(
                f"{where}: box {' '.join(map(str, row.box))} does not lie in its {image.width} x "
                f"{image.height} pixels: left top right bottom, upright"
            )
        image = image.crop(row.box)
    if image.height < 2:
        raise OcckdError(f"{where} is {image.height} pixel high: it has no two halves")
    image = image.convert("L" if settings.channels == 1 else "RGB")
    return channels_first(halves_resized(image, settings.size))


# --- the list -------------------------------------------------------------------------------


def read(path: Path, settings: FolderSettings) -> list[Row]:
    """The rows of the list, each checked, its image there."""
    cells = parquet_cells(path) if path.suffix.lower() == ".parquet" else titled_rows(path)
    required = {"file", "label", *({"split", "person", "box"} & settings.model_fields_set)}
    rows: dict[str, Row] = {}
    for number, row in cells:
        for name in sorted(required):
            if getattr(settings, name) not in row:
                raise OcckdError(
                    f"{path}: no column {getattr(settings, name)!r}, it has {', '.join(row)}: "
                    f"rename one, or say data.{name} in the recipe"
                )
        label, split, person, box = (
            row.get(getattr(settings, name), "") for name in ("label", "split", "person", "box")
        )
        where = f"{path}, row {number}"
        file = inside(path.parent, where, row[settings.file])
        if file in rows:
            raise OcckdError(f"{where}: {file} stands in row {rows[file].number}, too: remove one")
        rows[file] = Row(number, where, file, label, split, person, box_of(box, where))
    if not rows:
        raise OcckdError(f"{path} is empty: expected a row of titles, then a row an image")
    return list(rows.values())


def inside(home: Path, where: str, name: str) -> str:
    """The path of an image below the list's folder, cleaned; OcckdError where there is none."""
    clean = PurePosixPath(name)
    if not name or "\0" in name:
        raise OcckdError(f"{where}: no file named")
    if clean.is_absolute() or ".." in clean.parts:
        raise OcckdError(f"{where}: {name} leaves the folder of the list: put the image below it")
    if not Path(os.path.realpath(home / clean)).is_relative_to(os.path.realpath(home)):
        raise OcckdError(f"{where}: {name} is a link that leaves the folder of the list: copy it")
    if not os.path.isfile(home / clean):
        raise OcckdError(f"{where}: no image {name}: add it, or remove the row")
    return clean.as_posix()


def box_of(cell: str, where: str) -> tuple[int, int, int, int] | None:
    """left, top, right, bottom; None for an empty cell."""
    if not cell.strip():
        return None
    try:
        left, top, right, bottom = (
            round(float(part)) for part in re.split(r"[\s,;]+", cell.strip())
        )
    except (ValueError, OverflowError):
        raise OcckdError(f"{where}: box {cell!r}: write left top right bottom, in pixels") from None
    return left, top, right, bottom


def parquet_cells(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number from 1, title -> cell) of a parquet file."""
    try:
        table = pd.read_parquet(path)
        rows = table.astype(str).where(table.notna(), "").to_dict("records")
    except Exception as error:  # damaged files raise nearly anything
        raise OcckdError(f"{path} is not readable ({one_line(error)}): write it again") from None
    for number, row in enumerate(rows, 1):
        yield number, {str(title): str(cell).strip() for title, cell in row.items()}


# --- what it means --------------------------------------------------------------------------


def targets_of(
    rows: list[Row], settings: FolderSettings, task: str, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Targets (N float or int), and the classes: () for a number."""
    spec = task_of(task)
    if spec.continuous:
        numbers = pd.to_numeric([row.label for row in rows], errors="coerce")
        for row, number in zip(rows, numbers, strict=True):
            if not 0 <= number < math.inf:
                raise OcckdError(f"{row.where}: label {row.label!r} is no number from 0 on")
        return np.array(numbers, dtype=np.float64), ()
    same = canonical if task in KNOWN else str  # a user's own classes have no synonyms
    labels = [same(row.label) for row in rows]
    known = settings.classes or KNOWN.get(task) or tuple(sorted(set(labels) - {""}))
    word_of = {same(word): word for word in known}
    other = "; words of your own are task category" if task in KNOWN else ""
    for row in sorted(rows):
        if same(row.label) not in word_of:
            raise OcckdError(
                f"{row.where}: label {row.label!r} is not among the classes "
                f"{', '.join(known)}{did_you_mean(row.label, known)}{other}"
            )
    if not settings.classes and spec.outputs(known) > 1:
        known = tuple(word for word in known if same(word) in labels)
    if spec.outputs(known) < 2 and len(known) != 2:
        raise OcckdError(f"{path}: task {task} cannot have the classes {', '.join(known)}")
    return np.array([known.index(word_of[label]) for label in labels]), known


def splits_of(
    rows: list[Row], near: np.ndarray, settings: FolderSettings, path: Path
) -> np.ndarray:
    """The split of every row: as the list says, or drawn; members of a group stay together."""
    if not any(row.split for row in rows):
        names = np.array([row.file for row in rows])
        splits = three_ways(names, near, settings.split_seed)
        where, remedy = f"{path}: people and copies kept together", "give a column split"
    else:
        for row in sorted(rows):
            if row.split not in SPLITS:
                raise OcckdError(
                    f"{row.where}: split {row.split!r}, expected {', '.join(SPLITS)} in every row "
                    "(or no such column)"
                )
        one_split_a_person(rows)
        splits = np.array([row.split for row in rows])
        where, remedy = f"{path}", "or let all rows say test, to test on them only"
    empty = [split for split in SPLITS if split not in splits]
    if empty and set(splits) != {"test"}:
        raise OcckdError(f"{where}: no face is left for {empty[0]}: add some, {remedy}")
    return splits


def one_split_a_person(rows: list[Row]) -> None:
    """OcckdError for someone whose pictures the list puts into several splits."""
    first: dict[str, Row] = {}
    for row in rows:
        other = first.setdefault(row.person, row) if row.person else row
        if other.split != row.split:
            both = f"{row.person} is in {row.split}, in row {other.number} in {other.split}"
            raise OcckdError(f"{row.where}: {both}: give a person one split")


def classes(settings: FolderSettings, task: str) -> tuple[str, ...]:
    """The classes that the list has, () for a number."""
    path = DATA_SET.locate(settings)
    return targets_of(read(path, settings), settings, task, path)[1]


def sizes(settings: FolderSettings) -> tuple[int, int] | None:
    """As the list says, or nearly what will be drawn."""
    try:
        rows = read(DATA_SET.locate(settings), settings)
    except OcckdError:
        return None
    if any(row.split for row in rows):
        return sum(r.split == "train" for r in rows), sum(r.split == "val" for r in rows)
    return round(0.6 * len(rows)), round(0.2 * len(rows))


DATA_SET = DataSet(
    name="folder",
    title="a folder of your own",
    tasks=tuple(TASKS),
    settings=FolderSettings,
    load=load,
    find=find,
    place="your own: data.path names its list",
    classes=classes,
    sizes=sizes,
    layout="{path} (or in the current folder), a .csv or .parquet with the columns {file} and "
    "{label}, above its images",
)
