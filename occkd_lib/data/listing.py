"""Lists of labels, and whether they fit the images that are there."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line


def homes(root: Path, *names: str) -> list[Path]:
    """Folders below ``root`` with one of these names, in any case of letters, and ``root`` itself;
    none where there is no ``root``."""
    if not root.is_dir():
        return []
    called = (p for p in sorted(root.iterdir()) if p.name.lower() in names and p.is_dir())
    return [*called, root]


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files of a folder with this ending, in any case of letters, without hidden ones."""
    if not folder.is_dir():
        return []
    files = (p for p in folder.iterdir() if p.name.lower().endswith(ending))
    return sorted(p for p in files if not p.name.startswith("."))


def csv_rows(file: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of a csv file, without its empty rows."""
    try:
        with file.open("r", encoding="utf-8-sig", errors="replace", newline="") as handle:
            for number, row in enumerate(csv.reader(handle), 1):
                if row:
                    yield number, row
    except Exception as error:  # damaged archives raise nearly anything
        raise OcckdError(f"{file} is damaged ({one_line(error)}): get it again") from None


def check_listed(
    folder: object, images: Collection[str], rows: Mapping[str, int], file: str
) -> None:
    """OcckdError unless the ``images`` of ``folder`` are those of list ``file`` (name -> row)."""
    lost, extra = sorted(rows.keys() - set(images)), sorted(set(images) - rows.keys())
    if lost:
        raise OcckdError(
            f"{folder}: {len(lost)} rows of {file} have no image, the first is {lost[0]} in row "
            f"{rows[lost[0]]}: add the images or remove the rows"
        )
    if extra:
        raise OcckdError(
            f"{folder}: {len(extra)} images have no row in {file}, the first is {extra[0]}: "
            "add the rows or remove the images"
        )


def check_names(names: Iterable[object]) -> None:
    """OcckdError for a file name that is not UTF-8: no table and no message could hold it."""
    for name in map(str, names):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise OcckdError(f"{name!a} is a file name that is not UTF-8: rename it") from None
