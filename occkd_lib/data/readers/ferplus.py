"""FER+: 48 x 48 grey faces of FER2013 with ten annotators' votes each.

I. Goodfellow et al., ICONIP 2013 (images); E. Barsoum et al., ICMI 2016 (votes and label rules).

The votes of ``label.csv`` give the published 25,045 / 3,191 / 3,137 faces (majority). Those of
``fer2013new.csv`` differ for 1,602 images and do not: that form is read only if there is no other,
and the label rule says so.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch

from occkd_lib.data.cache import Decoding, decoded
from occkd_lib.data.copies import with_copies
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.decode import decode_image
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.listing import check_listed, csv_rows, existing, files_in, first_rows, homes
from occkd_lib.data.vocabularies import EXPRESSIONS
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

LabelRule = Literal["majority", "crossentropy", "probability", "multi_target"]
LABEL_RULES: tuple[LabelRule, ...] = get_args(LabelRule)
FOLDERS = {"train": "FER2013Train", "val": "FER2013Valid", "test": "FER2013Test"}
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
VOTES = (*EXPRESSIONS, "unknown", "NF")  # NF: not a face
PIXELS_FILE, VOTES_FILE = "fer2013.csv", "fer2013new.csv"
VOCABULARY = "ferplus8"


class FerPlusSettings(DataSettings):
    """labels: how ten votes become a label; it must be chosen."""

    name: Literal["ferplus"] = "ferplus"
    labels: LabelRule


def find(root: Path, settings: Any = None) -> Path | None:
    """Where FER+ lies under ``root``: folder of the three folders, a .zip, or fer2013.csv."""
    places = homes(root, "ferplus")
    for home in places:
        if any((home / folder).is_dir() for folder in FOLDERS.values()):
            return home
    for path in (path for home in places for path in files_in(home, ".zip")):
        if _inside(path) is not None:
            return path
    for home in places:
        if (home / PIXELS_FILE).is_file() and (home / VOTES_FILE).is_file():
            return home / PIXELS_FILE
    return None


def _inside(path: Path) -> str | None:
    """The folder of a .zip that holds FER2013Train/ ("" or "name/"), None if it is another .zip."""
    facts = path.stat()
    return _inside_of(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=16)  # half a second for FER+'s 35,000 names, and every stage asks
def _inside_of(path: Path, *changed: int) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # damaged archives raise nearly anything
        why = one_line(error)
        raise OcckdError(f"{path} is not a readable zip ({why}): get it again") from None
    ending = f"{FOLDERS['train']}/label.csv"
    inside = [n.removesuffix(ending) for n in names if n.endswith(ending) and "__MACOSX" not in n]
    return min(inside, key=len, default=None)


def load(path: Path, settings: FerPlusSettings, task: str, cache: bool) -> FaceSet:
    """The faces of ``path`` (see ``find``) that rule ``settings.labels`` keeps, by split and name.

    The rule labels train; val and test always follow "majority", as in the authors' code.
    ``soft_targets`` is None for majority. It holds shares of votes, each row summing to 1, for
    crossentropy and probability (to be sampled from, a draw at a time), and 0/1 for multi_target,
    whose loss is -log max_k(t_k p_k). ``targets`` is the class with most votes.
    Copies are looked for among all train images, also those that the rule drops.
    ``table``: the ten votes, ``group`` and ``near`` (see ``copies``);
    ``table.attrs["repeated"]``: names labelled more than once, of which the first counts.
    """
    rule = settings.labels
    from_csv = path.suffix == ".csv"
    files = [path, path.with_name(VOTES_FILE)] if from_csv else [path]
    if path.is_dir():
        folders = [path / folder for folder in FOLDERS.values() if (path / folder).is_dir()]
        files = [file for folder in folders for file in folder.iterdir()]
    read = _read_csv if from_csv else _read_folders
    images, table = decoded("ferplus", files, lambda: read(path), cache=cache)

    votes = table[list(VOTES)].to_numpy(np.float64)
    train = table["split"].to_numpy() == "train"
    kept = np.where(train[:, None], emotions(votes, rule), emotions(votes, "majority"))
    rows = np.flatnonzero(kept.any(1))
    weights = kept[rows]
    soft = weights > 0 if rule == "multi_target" else weights / weights.sum(1, keepdims=True)
    # copies of all published train images, kept or not: the same faces under every label rule
    chosen = with_copies(table).iloc[rows].reset_index(drop=True)
    return face_set(
        settings,
        task,
        VOCABULARY,
        images[torch.from_numpy(rows)],
        chosen.assign(target=weights.argmax(1)),
        label_rule=f"{rule} ({VOTES_FILE})" if from_csv else rule,
        soft_targets=None if rule == "majority" else torch.from_numpy(soft.astype(np.float32)),
        loss="multi_target" if rule == "multi_target" else None,
        sample_labels=rule == "probability",
    )


# --- label rules (E. Barsoum et al., sec. 3) ------------------------------------------------


def emotions(votes: np.ndarray, rule: LabelRule) -> np.ndarray:
    """Votes that ``rule`` lets count: N x 10 counts -> N x 8; a row of zeros drops the face.

    Single votes are noise and never count. A face whose strongest kept class is "unknown" or
    "not a face" is dropped.
    """
    votes = np.where(votes > 1, votes, 0.0)
    total = votes.sum(1, keepdims=True)
    if rule == "majority":  # the class with more than half of the votes
        kept = np.where(votes > 0.5 * total, votes, 0.0)
    elif rule == "multi_target":  # all with at least 30%, if together they have more than half
        kept = np.where(votes >= 0.3 * total, votes, 0.0)
        kept = np.where(kept.sum(1, keepdims=True) > 0.5 * total, kept, 0.0)
    else:
        kept = np.array([_strongest(row) for row in votes]).reshape(votes.shape)
    kept[kept.argmax(1) >= len(EXPRESSIONS)] = 0
    return kept[:, : len(EXPRESSIONS)]


def _strongest(votes: np.ndarray) -> np.ndarray:
    """The strongest emotions of one face until they have 75% of the votes, at most three.

    Stops at "unknown" and "not a face". Classes with equal votes come in together; the face is
    dropped if that makes more than three, or if half of the votes or more are left out.
    """
    kept = np.zeros_like(votes)
    for level in sorted(set(votes[votes > 0]), reverse=True):
        if kept.sum() >= 0.75 * votes.sum() or np.count_nonzero(kept) >= 3:
            break
        tied = votes == level
        kept[: len(EXPRESSIONS)][tied[: len(EXPRESSIONS)]] = level
        if tied[len(EXPRESSIONS) :].any():
            break
    good = kept.sum() > 0.5 * votes.sum() and np.count_nonzero(kept) <= 3
    return kept if good else np.zeros_like(votes)


# --- the three forms ------------------------------------------------------------------------


def _read_folders(path: Path) -> Decoding:
    """The three folders with label.csv, on disk or in a .zip."""
    inside = _inside(path) if path.is_file() else None
    base = path if inside is None else zipfile.Path(path, inside)
    needed = f"each of {', '.join(FOLDERS.values())} needs one"
    rows: list[tuple] = []
    repeated: list[str] = []
    faces: list[Path | zipfile.Path] = []
    for split, name in FOLDERS.items():
        folder = base / name
        file = existing(folder / "label.csv", remedy=needed)
        parsed = ((n, row[0], _votes(file, n, row, "box")) for n, row in csv_rows(file))
        labels, again = first_rows(parsed)
        names = {file.name for file in folder.iterdir()}
        images = {n for n in names if n.lower().endswith(".png") and not n.startswith(".")}
        check_listed(folder, images, labels, file.name, "name, box, ten vote counts")
        faces += [folder / n for n in sorted(labels)]
        rows += [(split, n, *labels[n][1]) for n in sorted(labels)]
        repeated += again

    def decode(i: int) -> np.ndarray:
        return decode_image(faces[i].read_bytes, faces[i], "L", (48, 48))

    return Decoding(_table(rows, repeated), (1, 48, 48), decode)


def _table(rows: list[tuple], repeated: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["split", "name", *VOTES])
    table.attrs["repeated"] = repeated
    return table


def _votes(file: object, number: int, row: list[str], second: str) -> list[int]:
    """The ten votes of a row of twelve cells; second: what stands in it besides the name."""
    cells = row[2:]
    if len(row) != 12 or not all(cell.isdecimal() and len(cell) <= 3 for cell in cells):
        raise OcckdError(f"{file}, row {number}: expected name, {second} and ten vote counts")
    return [int(cell) for cell in cells]


def _read_csv(path: Path) -> Decoding:
    """fer2013.csv and fer2013new.csv, whose rows belong together by their position."""
    votes_file = path.with_name(VOTES_FILE)
    pixel_rows, vote_rows = csv_rows(path), csv_rows(votes_file)
    header = [title.lower() for title in next(pixel_rows, (1, []))[1]]
    if not {"pixels", "usage"} <= set(header):
        raise OcckdError(f"{path}, row 1: expected the columns emotion, pixels, Usage")
    next(vote_rows, None)
    pixel_column, usage_column = header.index("pixels"), header.index("usage")

    def faces() -> Iterator[tuple[int, str, tuple[str, list[int], np.ndarray]]]:
        for pixels, voted in zip_longest(pixel_rows, vote_rows):
            if pixels is None or voted is None:
                raise OcckdError(f"{path} and {votes_file} differ in length: get both files again")
            (number, cells), (vote_number, vote_cells) = pixels, voted
            votes = _votes(votes_file, vote_number, vote_cells, "usage")
            usage, name = vote_cells[:2]
            where = f"{path}, row {number}"
            if len(cells) != len(header) or cells[usage_column] != usage:
                raise OcckdError(f"{where}: not the face that {VOTES_FILE} has there")
            if usage not in USAGES:
                raise OcckdError(f"{where}: Usage {usage!r}, not {', '.join(USAGES)}")
            if name:  # the others have ten votes for "not a face"
                yield number, name, (USAGES[usage], votes, _pixels(cells[pixel_column], where))

    labels, repeated = first_rows(faces())  # for fer0033120 the later row is not even a face
    order = sorted(labels, key=lambda name: (list(FOLDERS).index(labels[name][1][0]), name))
    rows = [(labels[name][1][0], name, *labels[name][1][1]) for name in order]
    return Decoding(_table(rows, repeated), (1, 48, 48), lambda i: labels[order[i]][1][2])


def _pixels(text: str, where: str) -> np.ndarray:
    try:
        return np.frombuffer(bytes(map(int, text.split())), np.uint8).reshape(1, 48, 48)
    except (ValueError, OverflowError):
        raise OcckdError(f"{where}: expected 48 x 48 = 2304 numbers from 0 to 255") from None


# faces for training; every rule has 3,191 for validation
TRAINING = {
    "majority": 25_045, "crossentropy": 27_947, "probability": 27_947, "multi_target": 27_667,
}  # fmt: skip


# M.-I. Georgescu et al., with the votes of label.csv
PUBLISHED = (25_045, 3_191, 3_137)

DATA_SET = DataSet(
    name="ferplus",
    title="FER+",
    tasks=("expression",),
    settings=FerPlusSettings,
    load=load,
    find=find,
    classes=lambda settings, task: VOCABULARY,
    sizes=lambda settings: (TRAINING[settings.labels], 3_191),
    published=lambda settings: PUBLISHED if settings.labels == "majority" else (),
    options=tuple({"labels": rule} for rule in LABEL_RULES),
    source="images (fer2013.csv) from the Kaggle contest 'Challenges in Representation Learning: "
    "Facial Expression Recognition', votes and generate_training_data.py from "
    "https://github.com/microsoft/FERPlus",
    size="about 0.3 GB",
    layout="ferplus/FER2013Train/, FER2013Valid/, FER2013Test/, each with ferNNNNNNN.png and "
    "label.csv; or these in ferplus/ferplus.zip; or, with other votes, ferplus/fer2013.csv "
    "and ferplus/fer2013new.csv",
)
