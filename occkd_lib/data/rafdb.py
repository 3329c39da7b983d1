"""RAF-DB, single labels: aligned faces of the web with one of seven expressions.

S. Li, W. Deng, J. Du, CVPR 2017. 12,271 faces are published as train, 3,068 as test. Nothing is
published as validation: a seeded tenth of every training class is held out for it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from occkd_lib.data.cache import Decoding, decoded, repeats_of_train
from occkd_lib.data.decode import decode_image
from occkd_lib.data.faceset import EXPRESSIONS, FaceSet
from occkd_lib.data.listing import check_listed
from occkd_lib.data.splits import hold_out
from occkd_lib.errors import OcckdError

CLASSES = EXPRESSIONS[:-1]  # no contempt, which is last: a class has FER+'s number
CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # from 1 on
LIST = "list_patition_label.txt"  # its published spelling
NAME = re.compile(r"(train|test)_\d+\.jpg")
HELD_OUT = 0.1


def find(root: Path) -> Path | None:
    """Where RAF-DB lies under ``root``: the folder with its list or its aligned images."""
    if not root.is_dir():
        return None
    called = (p for p in sorted(root.iterdir()) if p.name.lower() in ("rafdb", "raf-db"))
    homes = [home for folder in called for home in (folder, folder / "basic")]
    for home in (*homes, root):
        if any(path.exists() for path in (*_list_places(home), home / "Image" / "aligned")):
            return home
    return None


def _list_places(home: Path) -> tuple[Path, Path]:
    return home / "EmoLabel" / LIST, home / LIST


def load(path: Path, *, split_seed: int = 0, cache: bool = True) -> FaceSet:
    """The faces of ``path`` (see ``find``), 100 x 100 RGB, sorted by name.

    ``split_seed`` chooses the validation faces, among which pixel-identical ones stay together;
    the test set is the published one. ``table``: ``group`` (pixel-identical faces, -1 = unique);
    ``table.attrs["repeated"]``: names labelled more than once, of which the first counts.
    """
    file = next((place for place in _list_places(path) if place.is_file()), None)
    if file is None:
        raise OcckdError(f"{path / 'EmoLabel' / LIST} is missing: RAF-DB needs its labels")
    folder = next((f for f in (path / "Image" / "aligned", path / "aligned") if f.is_dir()), None)
    if folder is None:
        raise OcckdError(f"{path / 'Image' / 'aligned'} is missing: put the aligned images there")
    files = [p for p in folder.iterdir() if p.suffix.lower() == ".jpg" and p.name[0] != "."]
    images, table = decoded(
        "rafdb", [file, *files], lambda: _read(file, folder, files), cache=cache
    )
    names, groups = table["name"].to_numpy(dtype=str), table["group"].to_numpy()
    targets = table["expression"].to_numpy(np.int64)
    splits = np.where(np.char.startswith(names, "train"), "train", "test").astype("<U5")
    train = np.flatnonzero(splits == "train")
    held = hold_out(names[train], targets[train], groups[train], HELD_OUT, split_seed)
    splits[train[held]] = "val"
    return FaceSet(
        name="rafdb",
        task="expression",
        classes=CLASSES,
        images=images,
        targets=torch.tensor(targets),
        ids=names,
        splits=splits,
        duplicate_of_train=repeats_of_train(groups, splits),
        table=table[["group"]],
    )


def _read(file: Path, folder: Path, files: list[Path]) -> Decoding:
    repeated: list[str] = []
    labels = _labels(file, repeated)
    rows = {_aligned(name): row for name, (row, _) in labels.items()}
    check_listed(folder, [image.name for image in files], rows, LIST)
    names = sorted(labels)
    paths = [folder / _aligned(name) for name in names]
    table = pd.DataFrame({"name": names, "expression": [labels[name][1] for name in names]})
    table.attrs["repeated"] = repeated
    stamps = [f"{p.name}|{p.stat().st_size}|{p.stat().st_mtime_ns}" for p in paths]

    def decode(i: int) -> np.ndarray:
        return decode_image(paths[i].read_bytes, paths[i], "RGB", (100, 100))

    return Decoding(table, (3, 100, 100), decode, stamps)


def _aligned(name: str) -> str:
    return name.replace(".jpg", "_aligned.jpg")


def _labels(file: Path, repeated: list[str]) -> dict[str, tuple[int, int]]:
    """name -> (row number, class index) of the list; the first row of a name counts."""
    labels: dict[str, tuple[int, int]] = {}
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
        if name in labels:
            repeated.append(name)
        labels.setdefault(name, (number, CLASSES.index(CODES[int(code) - 1])))
    if not labels:
        raise OcckdError(f"{file} is empty: expected a row an image (name and code)")
    return labels
