"""The text beside a chapter, in which a change can be read, says what the chapter says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is in the extra 'lab'")
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTERS = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))


def cells(book):
    """What a pair shares: kinds, sources and tags (blank lines around a text are not kept)."""
    return [
        (cell.cell_type, cell.source.strip(), tuple(cell.metadata.get("tags", ())))
        for cell in book.cells
    ]


def merged(book):
    """Neighbouring Markdown cells as one, as a text has them."""
    found = []
    for kind, source, tags in cells(book):
        if kind == "markdown" and found and found[-1][0] == "markdown":
            source = f"{found.pop()[1]}\n\n{source}"
        found.append((kind, source, tags))
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_text_and_notebook_agree(chapter):
    text = jupytext.read(NOTEBOOKS / "text" / f"{chapter}.md", fmt="md:myst")
    book = nbformat.read(NOTEBOOKS / f"{chapter}.ipynb", as_version=4)
    assert merged(text) == merged(book), f"'make text' renews notebooks/text/{chapter}.md"


def test_no_text_without_its_chapter():
    assert sorted(path.stem for path in (NOTEBOOKS / "text").iterdir()) == CHAPTERS
