"""Which data sets there are, what a recipe says of one, and ``load_faces``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from occkd_lib.data.dataset import DataSet, DataSettings
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.readers import DATA_SETS
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import resolve
from occkd_lib.project import outputs_root
from occkd_lib.settings import first_error, telling


def data_set(name: str) -> DataSet:
    """The data set called ``name``, or the user's own at ``package.module:DATA_SET``."""
    known = resolve("data set", name, DATA_SETS)
    if not isinstance(known, DataSet):
        raise OcckdError(f"data set {name!r} is no DataSet (see occkd_lib.data.DataSet)")
    return known


def parse_data(raw: Any) -> DataSettings:
    """What a recipe says under ``data``, as the settings of the data set that it names.

    raw: a mapping with ``name``; what is null is left out, so that a recipe can take back what it
    would take over. Raises ValueError with one line for an unknown name or setting, or a wrong
    value.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        raise ValueError(f"write a mapping with a name, one of {', '.join(DATA_SETS)}")
    name = raw["name"]
    try:
        settings = data_set(name).settings
        return settings.model_validate({k: v for k, v in raw.items() if v is not None})
    except OcckdError as error:
        raise ValueError(str(error)) from None
    except ValidationError as error:
        raise ValueError(f"data set {name!r}: {explained(error, settings)}") from None


def settings_of(name: str, **options: Any) -> DataSettings:
    """``parse_data`` for whoever is not a recipe: OcckdError instead of ValueError."""
    try:
        return parse_data({"name": name, **options})
    except ValueError as error:
        raise OcckdError(str(error)) from None


def explained(error: ValidationError, settings: type[DataSettings]) -> str:
    """The first error, with the choices that there are."""
    first = telling(error)
    field = settings.model_fields.get(str(first["loc"][0])) if first["loc"] else None
    if first["type"] == "missing" and field:
        choices = ", ".join(map(repr, get_args(field.annotation)))
        return f"{first['loc'][0]} must be given" + (f": one of {choices}" if choices else "")
    if first["type"] == "extra_forbidden":
        names = ", ".join(settings.model_fields)
        return f"{first_error(error, settings.model_fields)}; it takes {names}"
    return first_error(error)


def locate(settings: DataSettings, root: str | Path | None = None) -> Path:
    """Where a data set lies; OcckdError with the way to get it when it is not there."""
    return data_set(settings.name).locate(settings, root)


def load(
    settings: DataSettings, task: str, *, root: str | Path | None = None, cache: bool = True
) -> FaceSet:
    """The faces that ``settings`` choose (see ``parse_data``), for one task.

    root: folder of the data sets (see ``data_root``). cache: keep the decoded (or drawn) images
    under the outputs folder and memory-map them.
    Raises OcckdError for a task that is not offered, and for data that are missing (with where to
    get them and the layout expected) or damaged (with file and row).
    """
    known = data_set(settings.name)
    if task not in known.tasks:
        raise OcckdError(f"{known.name} has no task {task!r}: choose {' or '.join(known.tasks)}")
    try:
        faces = known.load(locate(settings, root), settings, task, cache)
    except (OcckdError, OSError) as error:  # a file name may hold line breaks, or be no text
        line = " ".join(str(error).split()).encode(errors="backslashreplace").decode()
        raise OcckdError(line) from None
    return replace(faces, name=settings.called or known.name, published=known.published(settings))


def load_once(settings: DataSettings, task: str) -> FaceSet:
    """``load``, kept in this process; anew when $OCCKD_DATA leads elsewhere or its files change."""
    path = locate(settings).resolve()
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _loaded(settings, task, path, changed, outputs_root())


@lru_cache(maxsize=8)
def _loaded(settings: DataSettings, task: str, *where: object) -> FaceSet:
    return load(settings, task)


def load_faces(
    name: str,
    *,
    task: str,
    root: str | Path | None = None,
    cache: bool = True,
    **options: Any,
) -> FaceSet:
    """The faces of one data set for one task; ``.split("train" | "val" | "test")`` parts them.

    name: a key of DATA_SETS, or ``package.module:DATA_SET``. task: "expression", "gender", "age" or
    "category". options: settings of the data set, such as ``labels`` (FER+'s label rule, which must
    be chosen), ``split_seed`` (of whatever the book chooses itself) or ``faces`` (how many built-in
    ones). root, cache and errors: see ``load``; OcckdError, too, for a setting that it lacks.
    """
    return load(settings_of(name, **options), task, root=root, cache=cache)
