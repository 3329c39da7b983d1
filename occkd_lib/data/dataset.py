"""What a data set declares about itself, and where data sets are looked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.vocabularies import OWN, classes_of
from occkd_lib.errors import OcckdError
from occkd_lib.project import here, project_root
from occkd_lib.settings import Settings
from occkd_lib.tasks import task_of


class DataSettings(Settings):
    """Which faces: the data set's name, and in the class derived from this whatever it lets choose.

    name: a key of DATA_SETS, or a data set of your own by import path: ``package.module:DATA_SET``.
    called: what results call it, where two of one name are to be told apart.
    called: what results call it, where two of one name are to be told apart.
    """

    name: str
    called: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set: everything that the book knows of it, in one object.

    settings: the class of its options. load(path, settings, task, cache): its faces. find(root,
    settings): where it lies, None if it does not; settings is None where nobody has chosen any. No
    ``find``: there is nothing to look for. place: what is listed where nothing can be found.
    classes(settings, task): a name of VOCABULARIES or the classes themselves.
    has_validation(settings): there are faces to choose epochs by. sizes(settings): training and
    validation faces, without reading them, None where unknown. published(settings): what the
    authors report (train, val, test; or train with val, test; () nothing). options: settings to
    verify the data set with, one after the
    other. source, size, layout: where to get it, how many GB it has, and what is expected, with
    settings in {braces}.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    settings: type[DataSettings]
    load: Callable[[Path, Any, str, bool], FaceSet]
    classes: Callable[[Any, str], str | tuple[str, ...]]
    find: Callable[[Path, Any], Path | None] | None = None
    place: str = ""
    has_validation: Callable[[Any], bool] = lambda settings: True
    sizes: Callable[[Any], tuple[int, int] | None] = lambda settings: None
    published: Callable[[Any], tuple[int, ...]] = lambda settings: ()
    options: tuple[Mapping[str, Any], ...] = ({},)
    source: str = ""
    size: str = ""
    layout: str = ""

    def classes_of(self, settings: DataSettings, task: str) -> tuple[str, ...]:
        """The classes of a task, () for a number; no image is read."""
        return classes_of(self.classes(settings, task))

    def locate(self, settings: DataSettings, root: str | Path | None = None) -> Path:
        """Where it lies; OcckdError with the way to get it when it is not there."""
        folder = data_root(root)
        path = self.find(folder, settings) if self.find else folder
        if path is None:
            get = f" Get {self.source}, {self.size}." if self.source else ""
            raise OcckdError(
                f"{self.title} is missing: nothing usable in {folder} (--data, $OCCKD_DATA or "
                f"./data).{get} Expected there: {self.layout.format_map(settings.model_dump())}"
            )
        return path


FLAGS = ("duplicate_of_train", "near_copy_of_train")


def data_root(explicit: str | Path | None = None) -> Path:
    """Where data sets are looked for: ``explicit``, else $OCCKD_DATA, else ./data.

    A relative path counts from where the command was given (``here``) or, if it is not there, from
    the project.
    """
    chosen = Path(explicit or os.environ.get("OCCKD_DATA") or "data").expanduser()
    near, project = here() / chosen, project_root() / chosen
    return project if not near.exists() and project.exists() else near


def face_set(
    settings: DataSettings,
    task: str,
    classes: str | tuple[str, ...],
    images: Tensor,
    table: pd.DataFrame,
    **more: Any,
) -> FaceSet:
    """The FaceSet of N images and their table, which has a row a face.

    table: ``name``, ``split``, ``target``, ``duplicate_of_train``, ``near_copy_of_train`` (see
    ``copies.with_copies``); its further columns become the FaceSet's table. more: other fields.
    """
    return FaceSet(
        name=settings.name,
        task=task,
        classes=classes_of(classes),
        vocabulary=classes if isinstance(classes, str) else OWN,
        images=images,
        targets=task_of(task).target(table["target"].to_numpy()),
        ids=table["name"].to_numpy(dtype=str),
        splits=table["split"].to_numpy(dtype=str),
        **{flag: table[flag].to_numpy(dtype=bool) for flag in FLAGS},
        table=table.drop(columns=["name", "split", "target", *FLAGS]),
        **more,
    )
