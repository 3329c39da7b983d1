"""Working copies of the chapters: what a reader opens, runs and changes; git does not see them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from occkd_lib.project import outputs_root, write_atomically, write_json

RECORD = ".copied.json"  # chapter -> hashes of its original and of what the copy's cells said
UPWARDS = re.compile(r"(?<=\]\()\.\./([^)#\s]*)")  # a link out of the folder of the chapters


def working_copies(root: Path, say: Callable[[str], None] = print) -> Path:
    """The folder outputs/lab with a copy of every chapter of the book in ``root``.

    A copy is renewed where its chapter has changed since and its cells have not; that it was run
    and saved does not count, what was edited stays and is named. A copy that was deleted comes
    back. Links lead to where they did. Raises OcckdError where nothing can be written.
    """
    lab = outputs_root() / "lab"
    try:
        record: dict[str, Any] = json.loads((lab / RECORD).read_text())
    except (OSError, ValueError):  # none yet, or cut short: then every copy counts as edited
        record = {}
    for chapter in sorted((root / "notebooks").glob("*.ipynb")):
        copy, known = lab / chapter.name, record.get(chapter.name, {})
        original = hashlib.sha256(chapter.read_bytes()).hexdigest()
        if copy.is_file():
            if known.get("original") == original:
                continue
            if said(copy) != known.get("said"):
                say(f"{copy} was edited and stays; its chapter has changed: {chapter}")
                continue
        text = moved(chapter.read_text(encoding="utf-8"), root, lab)
        write_atomically(copy, partial(Path.write_text, data=text, encoding="utf-8"))
        record[chapter.name] = {"original": original, "said": said(copy)}
        write_json(lab / RECORD, record)
    return lab


def moved(text: str, root: Path, lab: Path) -> str:
    """A notebook whose links to the book, ``../``, go from ``lab`` to ``root``.

    JupyterLab opens files only: a link to a folder of results leads to its page, or to RESULTS.md.
    """

    def led(found: re.Match[str]) -> str:
        place = found[1].rstrip("/")
        pages = [f"{place}/index.html"]
        pages += ["RESULTS.md"] if place.startswith("outputs/reference") else []
        if (root / place).is_dir():
            place = next((page for page in pages if (root / page).is_file()), place)
        return f"{os.path.relpath(root, lab)}/{place}"

    book = json.loads(text)
    for cell in book["cells"]:
        if cell["cell_type"] == "markdown":
            lines = cell["source"]
            lines = [lines] if isinstance(lines, str) else lines
            cell["source"] = [UPWARDS.sub(led, line) for line in lines]
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def said(copy: Path) -> str | None:
    """A hash of its cells' kinds and sources, not of outputs; None of what is no notebook."""
    try:
        cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
        told = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def lab_command(source: bool, root: Path, more: list[str]) -> list[str]:
    """JupyterLab's options: on the copies, or with ``source`` on the chapters themselves.

    Its root is the project, so that links lead to results, too; copies that lie elsewhere
    ($OCCKD_OUTPUTS) are a root of their own. ``more`` comes last and wins.
    """
    folder = root / "notebooks" if source else working_copies(root)
    inside = folder.is_relative_to(root)
    at = folder.relative_to(root).as_posix() if inside else ""
    return [
        f"--ServerApp.root_dir={root if inside else folder}",
        f"--LabApp.default_url=/lab/tree/{at}",
        *more,
    ]
