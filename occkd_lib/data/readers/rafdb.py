"""RAF-DB, single labels: aligned faces of the web with one of seven expressions.

S. Li, W. Deng, J. Du, CVPR 2017. 12,271 faces are published as train, 3,068 as test. Nothing is
published as validation: a seeded tenth of every training class is held out for it, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from occkd_lib.data.cache import Decoding, decoded, stamp
from occkd_lib.data.copies import with_copies
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.decode import decode_image
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.listing import check_listed, existing, files_in, first_rows, homes
from occkd_lib.data.splits import hold_out
from occkd_lib.data.vocabularies import VOCABULARIES
from occkd_lib.errors import OcckdError

VOCABULARY = "rafdb7"
CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # from 1 on
LIST = "list_patition_label.txt"  # its published spelling
NAME = re.compile(r"(train|test)_\d+\.jpg")
HELD_OUT = 0.1


class RafDbSettings(DataSettings):
    """split_seed: chooses the validation faces. validation: False for none, as in the papers."""

    name: Literal["rafdb"] = "rafdb"
    split_seed: int = 0
    validation: bool = True


def find(root: Path, settings: Any = None) -> Path | None:
    """Where RAF-DB lies under ``root``: the folder with its list or its aligned images."""
    for folder in homes(root, "rafdb", "raf-db"):
        for home in (folder, folder / "basic"):
            places = (home / "EmoLabel" / LIST, home / LIST, home / "Image" / "aligned")
            if any(place.exists() for place in places):
                return home
    return None


def load(path: Path, settings: RafDbSettings, task: str, cache: bool) -> FaceSet:
    """The faces of ``path`` (see ``find``), 100 x 100 RGB, sorted by name.

    Near copies stay together when the validation faces are chosen; the test set is the published
    one. ``table``: ``group`` and ``near`` (see ``copies``); ``table.attrs["repeated"]``: names
    labelled more than once, of which the first counts.
    """
    file = existing(path / "EmoLabel" / LIST, path / LIST, remedy="RAF-DB needs its labels")
    folder = existing(
        path / "Image" / "aligned", path / "aligned", remedy="put the aligned images there"
    )
    files = files_in(folder, ".jpg")

    def start() -> Decoding:
        labels, repeated = first_rows(_rows(file))
        listed = {_aligned(name): label for name, label in labels.items()}
        check_listed(folder, [image.name for image in files], listed, LIST, "name and code")
        names = sorted(labels)
        paths = [folder / _aligned(name) for name in names]
        table = pd.DataFrame({"name": names, "target": [labels[name][1] for name in names]})
        table.attrs["repeated"] = repeated

        def decode(i: int) -> np.ndarray:
            return decode_image(paths[i].read_bytes, paths[i], "RGB", (100, 100))

        return Decoding(table, (3, 100, 100), decode, [stamp(path.name, path) for path in paths])

    images, table = decoded("rafdb", [file, *files], start, cache=cache)
    names, near = table["name"].to_numpy(dtype=str), table["near"].to_numpy()
    splits = np.where(np.char.startswith(names, "train"), "train", "test").astype("<U5")
    share = HELD_OUT if settings.validation else 0.0
    train, targets = np.flatnonzero(splits == "train"), table["target"].to_numpy()
    held = hold_out(names[train], targets[train], near[train], share, settings.split_seed)
    splits[train[held]] = "val"
    return face_set(settings, task, VOCABULARY, images, with_copies(table.assign(split=splits)))


def _aligned(name: str) -> str:
    return name.replace(".jpg", "_aligned.jpg")


def _rows(file: Path) -> Iterator[tuple[int, str, int]]:
    """(row number, name, class index) of the list."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 2 or not NAME.fullmatch(cells[0]):
            raise OcckdError(f"{file}, row {number}: expected a name and a code: train_00001.jpg 5")
        name, code = cells
        if code not in map(str, range(1, len(CODES) + 1)):
            raise OcckdError(f"{file}, row {number}: expression {code!r}, expected 1 to 7")
        yield number, name, VOCABULARIES[VOCABULARY].index(CODES[int(code) - 1])


DATA_SET = DataSet(
    name="rafdb",
    title="RAF-DB, aligned, single labels",
    tasks=("expression",),
    settings=RafDbSettings,
    load=load,
    find=find,
    classes=lambda settings, task: VOCABULARY,
    has_validation=lambda settings: settings.validation,
    sizes=lambda settings: (11_045, 1_226) if settings.validation else (12_271, 0),
    published=lambda settings: (12_271, 3_068),  # our val is held out of its train
    source="it from http://www.whdeng.cn/RAF/model1.html (apply; non-commercial research only)",
    size="about 0.04 GB aligned",
    layout="rafdb/EmoLabel/list_patition_label.txt and "
    "rafdb/Image/aligned/train_NNNNN_aligned.jpg, test_NNNN_aligned.jpg",
)
