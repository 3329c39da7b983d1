"""Lists of labels, and whether they fit the images that are there."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from occkd_lib.errors import OcckdError


def csv_rows(file: Path | zipfile.Path) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of a csv file, without its empty rows."""
    try:
        with file.open("r", encoding="utf-8-sig", errors="replace", newline="") as handle:
            for number, row in enumerate(csv.reader(handle), 1):
                if row:
                    yield number, row
    except (csv.Error, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OcckdError(f"{file} is damaged ({error}): get it again") from None


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
