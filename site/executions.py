"""How the chapters were executed: those kept with their source, and those in outputs/ here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tables import html_table, raw

NONE = """No executed notebook lies in `outputs/` of the machine that built this site, so there is
nothing to report. `make book` executes all chapters with recipe `demo`; `make site` then shows here
how it went.
"""
COLUMNS = (
    *("recipe", "notebook", "state", "seconds", "date"),
    *("hardware", "python", "torch", "library", "commit"),
)
KEPT = ("chapter", "state", "cells of code", "seconds, about", "date")


def executions(outputs: Path) -> list[list[str]]:
    """One row of COLUMNS an executed notebook; empty where none was executed."""
    rows = []
    for path in sorted(outputs.glob("*/notebooks/*.status.json")):
        said = json.loads(path.read_text("utf-8"))
        now = said.get("environment", {})
        name = path.name.removesuffix(".status.json")
        date = str(said.get("started", ""))[:16].replace("T", " ")
        row = [path.parts[-3], name, said.get("state"), said.get("wall_seconds"), date]
        row += [now.get(key) for key in ("device", "python", "torch", "library_hash")]
        row += [(now.get("git_commit") or "")[:10]]
        rows.append(["" if value is None else str(value) for value in row])
    return rows


def kept(notebook: Path, seconds: float) -> list[str]:
    """The row of KEPT of a chapter as it is kept. seconds: what chapters.yaml says it takes."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    failed = any(out["output_type"] == "error" for cell in cells for out in cell["outputs"])
    counts = [cell["execution_count"] for cell in cells if cell["execution_count"]]
    state = "executed" if counts == list(range(1, len(counts) + 1)) else "executed in another order"
    if missing := len(cells) - len(counts):
        state += f", but for {missing} cell{'s' * (missing > 1)}"
    state = "failed" if failed else state
    times = [cell["metadata"].get("execution", {}) for cell in cells]
    date = max((time.get("iopub.status.busy", "") for time in times), default="")[:10]
    return [notebook.stem, state, str(len(cells)), str(seconds), date]


def kept_table(notebooks: Path, chapters: Mapping[str, Mapping]) -> str:
    """The table of all chapters as they are kept, in Markdown."""
    rows = [kept(notebooks / f"{name}.ipynb", said["seconds"]) for name, said in chapters.items()]
    return raw(html_table(KEPT, rows))


def execution_table(outputs: Path) -> str:
    """The table in Markdown, or a sentence on how to get one."""
    rows = executions(outputs)
    return raw(html_table(COLUMNS, rows)) if rows else NONE
