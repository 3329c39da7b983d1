"""Two further editions of a chapter: one without its solutions, and one in which they are run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from occkd_lib.errors import OcckdError
from occkd_lib.project import project_root, write_atomically

SOLUTION = re.compile(r"<details><summary>Solution</summary>\n(.*?)</details>\n*", re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
STARTER = "# your code"


def for_students(solution: str) -> Iterator[NotebookNode]:
    """An empty cell to begin with, instead of a solution."""
    yield new_code_cell(STARTER)


def solved(solution: str) -> Iterator[NotebookNode]:
    """The code of a solution, ready to be run."""
    for code in CODE.findall(solution):
        yield new_code_cell(code.rstrip("\n"))


EDITIONS: dict[str, Callable[[str], Iterator[NotebookNode]]] = {
    "student": for_students,
    "solved": solved,
}


def edition(book: NotebookNode, kind: Literal["student", "solved"]) -> NotebookNode:
    """A copy of a notebook with every solution replaced. kind: by an empty cell, or by its code.

    A solution is what a Markdown cell has between ``<details><summary>Solution</summary>`` and
    ``</details>``; the text before and after it stays.
    """
    cells: list[NotebookNode] = []
    for cell in deepcopy(book.cells):
        if cell.cell_type != "markdown" or not SOLUTION.search(cell.source):
            cells.append(cell)
            continue
        for i, part in enumerate(SOLUTION.split(cell.source)):
            if i % 2:
                cells += EDITIONS[kind](part)
            elif part.strip():
                cells.append(new_markdown_cell(part.strip("\n")))
    for i, cell in enumerate(cells):
        cell["id"] = f"{kind}-{i}"
    return NotebookNode({**book, "cells": cells})


def write_editions(kind: Literal["student", "solved"], folder: Path) -> list[Path]:
    """Write an edition of every chapter into ``folder``; the paths.

    Raises OcckdError for a folder that holds the chapters themselves.
    """
    source = project_root() / "notebooks"
    root = Path(os.path.relpath(project_root(), folder)).as_posix()
    if folder.resolve() == source.resolve():
        raise OcckdError(f"{folder} holds the chapters themselves: name another folder")
    written = []
    for path in sorted(source.glob("[0-9][0-9]_*.ipynb")):
        book = edition(nbformat.read(path, as_version=4), kind)
        for cell in book.cells:  # links to the project's other files
            cell.source = cell.source.replace("](../", f"]({root}/")
        write_atomically(folder / path.name, partial(nbformat.write, book))
        written.append(folder / path.name)
    return written
