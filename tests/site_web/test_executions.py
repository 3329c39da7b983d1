"""The page that says how the chapters were executed."""

from __future__ import annotations

import json
from pathlib import Path

import executions
import pytest
import yaml

ROOT = Path(__file__).parents[2]


def test_an_executed_notebook_is_a_row(tmp_path):
    here = tmp_path / "demo" / "notebooks"
    here.mkdir(parents=True)
    assert executions.execution_table(tmp_path) == executions.NONE
    status = {
        "state": "finished",
        "started": "2026-01-02T03:04:05",
        "wall_seconds": 6.5,
        "environment": {"device": "cpu", "python": "3.12", "git_commit": "0123456789abcdef"},
    }
    (here / "01_data.status.json").write_text(json.dumps(status))
    (here / "02_teachers.status.json").write_text(json.dumps({"state": "failed"}))
    first = ["demo", "01_data", "finished", "6.5", "2026-01-02 03:04"]
    first += ["cpu", "3.12", "", "", "0123456789"]
    assert executions.executions(tmp_path) == [first, ["demo", "02_teachers", "failed", *[""] * 7]]
    assert len(first) == len(executions.COLUMNS)
    assert "<td>6.5</td>" in executions.execution_table(tmp_path)


def cell(count, kind="stream", busy=None) -> dict:
    metadata = {"execution": {"iopub.status.busy": busy}} if busy else {}
    outputs = [{"output_type": kind}]
    return dict(cell_type="code", execution_count=count, metadata=metadata, outputs=outputs)


@pytest.mark.parametrize(
    ("cells", "state", "date"),
    [
        ([cell(1), cell(2, busy="2026-11-25T02:38"), cell(3, busy="2026-11-24T02:38")],
         "executed", "2026-11-25"),
        ([cell(1), cell(3), cell(2)], "executed in another order", ""),
        ([cell(1), cell(None), cell(2)], "executed, but for 1 cell", ""),
        ([cell(None), cell(None), cell(1)], "executed, but for 2 cells", ""),
        ([cell(1), cell(2, "error"), cell(3)], "failed", ""),
    ],
)  # fmt: skip
def test_a_kept_chapter_says_how_it_was_executed(tmp_path, cells, state, date):
    book = {"cells": [{"cell_type": "markdown", "source": ""}, *cells]}
    (tmp_path / "01_data.ipynb").write_text(json.dumps(book))
    row = ["01_data", state, "3", "6", date]
    assert executions.kept(tmp_path / "01_data.ipynb", 6) == row
    assert len(row) == len(executions.KEPT)
    shown = executions.kept_table(tmp_path, {"01_data": {"seconds": 6}})
    assert f"<td>{state}</td>" in shown


def test_no_kept_chapter_failed():
    chapters = yaml.safe_load((ROOT / "workflow" / "chapters.yaml").read_text())
    for name, said in chapters.items():
        state = executions.kept(ROOT / "notebooks" / f"{name}.ipynb", said["seconds"])[1]
        assert state.startswith("executed"), f"{name}: {state}"
