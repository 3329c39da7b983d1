"""Lists of labels, and whether they fit the images that are there."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

Label = TypeVar("Label")
Listed = dict[str, tuple[int, Label]]  # name -> (row number, label)


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


def existing(*places: Path | zipfile.Path, remedy: str) -> Any:
    """The first of these places that is there; OcckdError names the first of all if none is."""
    for place in places:
        if place.exists():
            return place
    raise OcckdError(f"{places[0]} is missing: {remedy}")


def csv_rows(file: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells without blanks around them) of a csv file, without its empty rows."""
    try:
        with file.open("r", encoding="utf-8-sig", errors="replace", newline="") as handle:
            for number, row in enumerate(csv.reader(handle), 1):
                if row:
                    yield number, [cell.strip() for cell in row]
    except Exception as error:  # damaged archives raise nearly anything
        raise OcckdError(f"{file} is damaged ({one_line(error)}): get it again") from None


def titled_rows(
    file: Path, untitled: Sequence[str] = (), needed: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, title -> cell) of a csv file; untitled: the titles of one that may have none."""
    titles: Sequence[str] = ()
    for number, cells in csv_rows(file):
        where = f"{file}, row {number}"
        if any("\ufffd" in cell for cell in cells):
            raise OcckdError(f"{where}: not UTF-8: save the file as UTF-8")
        if not titles:
            has_titles = not untitled or untitled[0] in cells
            titles = cells if has_titles else untitled
            if len(set(titles)) < len(titles):
                raise OcckdError(f"{where}: two columns have the same title")
            if not set(needed) <= set(titles):
                raise OcckdError(f"{where}: expected the columns {', '.join(needed)}")
            if has_titles:
                continue
        if len(cells) != len(titles):
            raise OcckdError(f"{where}: {len(cells)} cells, expected {len(titles)}")
        yield number, dict(zip(titles, cells, strict=True))


def first_rows(rows: Iterable[tuple[int, str, Label]]) -> tuple[Listed[Label], list[str]]:
    """name -> (row number, label) by the first row of each name; the names of further rows."""
    labels: Listed[Label] = {}
    repeated = []
    for number, name, label in rows:
        if name in labels:
            repeated.append(name)
        labels.setdefault(name, (number, label))
    return labels, repeated


def check_listed(
    folder: object, images: Collection[str], labels: Listed[Any], file: str, columns: str
) -> None:
    """OcckdError unless the ``images`` of ``folder`` are those of list ``file``, and any are."""
    if not labels:
        raise OcckdError(f"{folder}: {file} is empty: expected a row an image ({columns})")
    lost, extra = sorted(labels.keys() - set(images)), sorted(set(images) - labels.keys())
    if lost:
        raise OcckdError(
            f"{folder}: {len(lost)} rows of {file} have no image, the first is {lost[0]} in row "
            f"{labels[lost[0]][0]}: add the images or remove the rows"
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
