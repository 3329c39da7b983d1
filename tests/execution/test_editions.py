"""The editions of the chapters: nothing of a solution is left, and all of its code is run."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from occkd_lib.errors import OcckdError
from occkd_lib.execution.editions import STARTER, edition, write_editions

ROOT = Path(__file__).parents[2]
EXERCISES = """## Exercises

**1. Add.** One and one?

<details><summary>Solution</summary>

```python
print(1 + 1)
```

Two; and for those who doubt it:

```python
print(2)
```
</details>

**2. Think.** Why?

<details><summary>Solution</summary>

Because `1 + 1 = 2`.
</details>

## In short

All is said."""


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The chapters are those of this checkout, whatever the environment says."""
    monkeypatch.setenv("OCCKD_ROOT", str(ROOT))


@pytest.fixture
def book():
    cells = [new_markdown_cell("# A chapter"), new_code_cell("x = 1"), new_markdown_cell(EXERCISES)]
    return new_notebook(cells=cells)


def sources(book):
    return [(cell.cell_type, cell.source) for cell in book.cells]


def test_students_get_an_empty_cell_for_every_solution(book):
    assert sources(edition(book, "student")) == [
        ("markdown", "# A chapter"),
        ("code", "x = 1"),
        ("markdown", "## Exercises\n\n**1. Add.** One and one?"),
        ("code", STARTER),
        ("markdown", "**2. Think.** Why?"),
        ("code", STARTER),
        ("markdown", "## In short\n\nAll is said."),
    ]


def test_solutions_become_code_in_their_order(book):
    code = [source for kind, source in sources(edition(book, "solved")) if kind == "code"]
    assert code == ["x = 1", "print(1 + 1)", "print(2)"]


def test_editions_are_valid_and_leave_the_chapter_as_it_was(book):
    before = nbformat.writes(book)
    for kind in ("student", "solved"):
        nbformat.validate(edition(book, kind))
    assert nbformat.writes(book) == before


def test_every_chapter_has_its_editions(tmp_path):
    """Of the real chapters: nothing of a solution is left, and its code is valid Python."""
    solutions = 0
    for kind in ("student", "solved"):
        for path in write_editions(kind, tmp_path / kind):
            cells = sources(nbformat.read(path, as_version=4))
            text = "\n".join(source for name, source in cells if name == "markdown")
            links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text)
            assert all((path.parent / link).exists() for link in links), path.name
            assert not re.search(r"Solution|^```python", text, re.MULTILINE), path.name
            folded = text.count("<details><summary>Answer</summary>")
            assert folded == text.count("</details>") == (path.name[:2] not in ("00", "19")) * 3
            if kind == "solved":
                for _, source in (cell for cell in cells if cell[0] == "code"):
                    compile(re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE), path.name, "exec")
            else:
                exercises = re.findall(r"^\*\*\d\. .*$", text.partition("## Exercises")[2], re.M)
                assert all(re.match(r"\*\*\d\. ★{1,3} [A-Z]", line) for line in exercises)
                assert len(exercises) == cells.count(("code", STARTER)), path.name
                solutions += cells.count(("code", STARTER))
    book = "".join(path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert solutions == book.count("<summary>Solution</summary>") > 40
    assert len(list(tmp_path.rglob("*.ipynb"))) == 2 * 20


def test_the_chapters_themselves_are_not_written_over():
    with pytest.raises(OcckdError, match="holds the chapters themselves"):
        write_editions("student", ROOT / "notebooks")
