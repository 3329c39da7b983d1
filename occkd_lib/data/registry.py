"""Which data sets there are, where they are looked for, and ``load_faces``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from occkd_lib.config import LabelRule, Task
from occkd_lib.data import affectnet, ferplus, rafdb, utkface
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.synthetic import draw_faces
from occkd_lib.errors import OcckdError
from occkd_lib.project import project_root

BUILT_IN_FACES = 3000


@dataclass(frozen=True)
class DataSet:
    """A data set that ``load_faces`` knows. ``find(root)``: where it lies, None if it does not.

    outputs: of a network for it, where that is not the task's number.
    """

    title: str
    tasks: tuple[str, ...]
    find: Callable[[Path], Path | None] | None = None
    source: str = ""
    layout: str = ""
    outputs: int | None = None


DATA_SETS = {
    "synthetic": DataSet("built-in drawn faces", get_args(Task)),
    "ferplus": DataSet(
        "FER+",
        ("expression",),
        ferplus.find,
        "images (fer2013.csv) from the Kaggle contest 'Challenges in Representation Learning: "
        "Facial Expression Recognition', votes and generate_training_data.py from "
        "https://github.com/microsoft/FERPlus",
        "ferplus/FER2013Train/, FER2013Valid/, FER2013Test/, each with ferNNNNNNN.png and "
        "label.csv; or these in ferplus/ferplus.zip; or, with other votes, ferplus/fer2013.csv "
        "and ferplus/fer2013new.csv",
    ),
    "utkface": DataSet(
        "UTKFace, aligned and cropped",
        ("gender", "age"),
        utkface.find,
        "https://susanqq.github.io/UTKFace/ (non-commercial research only)",
        "utkface/UTKFace.tar.gz (or .tar, .tar.xz), or "
        "utkface/UTKFace/[age]_[gender]_[race]_[date].jpg.chip.jpg",
    ),
    "affectnet": DataSet(
        "AffectNet, manually annotated",
        ("expression",),
        affectnet.find,
        "it from http://mohammadmahoor.com/affectnet/ (heads of laboratories apply; research only)",
        "affectnet/training.csv and validation.csv beside affectnet/Manually_Annotated_Images/; "
        "or affectnet/train_set/ and val_set/, each with images/N.jpg and annotations/N_exp.npy",
    ),
    "rafdb": DataSet(
        "RAF-DB, aligned, single labels",
        ("expression",),
        rafdb.find,
        "it from http://www.whdeng.cn/RAF/model1.html (apply; non-commercial research only)",
        "rafdb/EmoLabel/list_patition_label.txt and rafdb/Image/aligned/train_NNNNN_aligned.jpg, "
        "test_NNNN_aligned.jpg",
        outputs=len(rafdb.CLASSES),
    ),
}


def load_faces(
    name: str,
    *,
    task: str,
    labels: str | None = None,
    root: str | Path | None = None,
    split_seed: int = 0,
    faces: int | None = None,
    cache: bool = True,
) -> FaceSet:
    """The faces of one data set for one task; ``.split("train" | "val" | "test")`` parts them.

    name: "synthetic" (built in), "ferplus", "utkface", "affectnet" or "rafdb". task: "expression",
    "gender", "age". labels: FER+'s label rule, which must be chosen; None elsewhere. root: folder
    of the data sets (see ``data_root``). split_seed: seed of UTKFace's split, of RAF-DB's
    validation faces, of AffectNet's choice of training faces and of the built-in faces; FER+'s
    split is official. faces: how many built-in faces (3000). cache: keep the decoded (or
    drawn) images under the outputs folder and memory-map them.
    Raises OcckdError for a name, task or rule that is not offered, and for data that are missing
    (with where to get them and the layout expected) or damaged (with file and row).
    """
    known = data_set(name)
    if task not in known.tasks:
        raise OcckdError(f"{name} has no task {task!r}: choose {_choices(known.tasks)}")
    if faces is not None and name != "synthetic":
        raise OcckdError(f"{name} has the faces it has: 'faces' is for synthetic only")
    if name == "ferplus":
        if labels not in ferplus.LABEL_RULES:
            wrong = "needs a label rule" if labels is None else f"has no label rule {labels!r}"
            raise OcckdError(f"ferplus {wrong}: choose labels={_choices(ferplus.LABEL_RULES)}")
    elif labels is not None:
        raise OcckdError(f"{name} takes no label rule: leave out labels={labels!r}")
    if name == "synthetic":
        count = BUILT_IN_FACES if faces is None else faces
        return draw_faces(count, task=task, seed=split_seed, cache=cache)
    path = locate(name, root)
    if name == "ferplus":
        return ferplus.load(path, labels=cast(LabelRule, labels), cache=cache)
    if name == "utkface":
        return utkface.load(path, task=task, split_seed=split_seed, cache=cache)
    read = affectnet.load if name == "affectnet" else rafdb.load
    return read(path, split_seed=split_seed, cache=cache)


def data_set(name: str) -> DataSet:
    """The data set called ``name``, or an error that lists the names there are."""
    if name not in DATA_SETS:
        raise OcckdError(f"no data set {name!r}: choose {_choices(DATA_SETS)}")
    return DATA_SETS[name]


def data_root(explicit: str | Path | None = None) -> Path:
    """Where data sets are looked for: ``explicit``, else $OCCKD_DATA, else ./data.

    A relative path counts from the current folder or, if it is not there, from the project.
    """
    chosen = Path(explicit or os.environ.get("OCCKD_DATA") or "data").expanduser()
    here, project = Path.cwd() / chosen, project_root() / chosen
    return project if not here.exists() and project.exists() else here


def locate(name: str, root: str | Path | None = None) -> Path:
    """Where a data set lies; OcckdError with the way to get it when it is not there."""
    known, folder = data_set(name), data_root(root)
    path = known.find(folder) if known.find else None
    if path is None:
        raise OcckdError(
            f"{known.title} is missing: nothing usable in {folder} (--data, $OCCKD_DATA or "
            f"./data). Get {known.source}. Expected there: {known.layout}"
        )
    return path


def _choices(names: object) -> str:
    *most, last = (repr(name) for name in names)  # type: ignore[attr-defined]
    return f"{', '.join(most)} or {last}" if most else last
