"""Guarded execution: what is refused before it starts, and what every kind of failure leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.execution.notebooks import execute
from occkd_lib.execution.parameters import (
    check_parameters,
    declared_parameters,
    parse_parameters,
)

PARAMETERS = 'recipe: str = "demo"\nseed: int = 0\nlr: float = 0.5\nfast: bool = False'


@pytest.fixture
def write(tmp_path):
    """Write a notebook: a heading, a parameters cell, and the given code cells."""

    def write(*cells, parameters=PARAMETERS):
        book = nbformat.v4.new_notebook()
        book.cells = [nbformat.v4.new_markdown_cell("# A chapter")]
        if parameters is not None:
            cell = nbformat.v4.new_code_cell(parameters)
            cell.metadata.tags = ["parameters"]
            book.cells.append(cell)
        book.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        path = tmp_path / "books" / "chapter.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(book, path)
        return path

    return write


def printed(path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.text for c in cells for o in c.get("outputs", []) if o.name == "stdout")


# --- parameters ---------------------------------------------------------------------------


def test_values_get_the_declared_type(write):
    book = write()
    given = ["seed=3", "lr=1e-3", "recipe=7", "fast=true"]
    expected = {"seed": 3, "lr": 0.001, "recipe": "7", "fast": True}
    assert parse_parameters(book, given) == expected
    lr = check_parameters(book, {"lr": 1})["lr"]
    assert (lr, type(lr)) == (1.0, float)


def test_none_only_where_it_is_declared(write):
    book = write(parameters="limit: int | None = None\nname: str = 'none'")
    assert parse_parameters(book, ["limit=none", "name=none"]) == {"limit": None, "name": "none"}
    assert parse_parameters(book, ["limit=4"]) == {"limit": 4}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"sed": 1},
            r"no parameter 'sed': did you mean 'seed'.*it has: recipe: str = 'demo'; seed: int",
        ),
        ({"seed": 1.5}, "parameter seed: int = 0: 1.5: .* valid integer"),
        ({"seed": True}, "True: .* valid integer"),
        ({"lr": "0.1"}, "'0.1': .* valid number"),
        ({"fast": 1}, "1: .* valid boolean"),
        ({"recipe": None}, "None: .* valid string"),
    ],
)
def test_wrong_parameters_are_refused(write, given, message):
    with pytest.raises(OcckdError, match=message):
        check_parameters(write(), given)


@pytest.mark.parametrize("given", [["seed=x"], ["seed"], ["seed=1", "seed=2"], ["sed=1"]])
def test_wrong_assignments_are_refused(write, given):
    with pytest.raises(OcckdError):
        parse_parameters(write(), given)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "has 0 cells tagged 'parameters'"),
        ("seed = 0", "write 'seed = 0' as 'name: type = literal'"),
        ("seed: int", "name: type = literal"),
        ("seed: Path = 0", "name: type = literal"),
        ("seed: int = len('x')", "name: type = literal"),
        ("seed: int = 'x'", "parameters cell: parameter seed: int = 'x': 'x': .* valid integer"),
        ("seed: int = (", "line 1"),
    ],
)
def test_parameters_cells_must_be_literal(write, source, message):
    with pytest.raises(OcckdError, match=message):
        declared_parameters(write(parameters=source))


def test_nothing_starts_with_a_wrong_parameter(write, tmp_path):
    with pytest.raises(OcckdError):
        execute(write("1"), tmp_path / "out" / "a.ipynb", {"sed": 1})
    assert not (tmp_path / "out").exists()


# --- execution ----------------------------------------------------------------------------


def test_a_good_notebook(write, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", "passed-through")
    code = "import os, sys; print(seed, lr, os.getcwd(), os.environ['OCCKD_OUTPUTS'])"
    book, out = write(code, "print(sys.executable)"), tmp_path / "out" / "a{b}.ipynb"
    assert execute(book, out, {"seed": 3}) == out
    assert printed(out) == f"3 0.5 {book.parent} passed-through\n{sys.executable}\n"
    status = json.loads(out.with_suffix(".status.json").read_text())
    assert status["state"] == "done"
    assert status["parameters"] == {"recipe": "demo", "seed": 3, "lr": 0.5, "fast": False}
    assert status["peak_memory_mib"] > 10
    assert status["wall_seconds"] > 0
    assert str(tmp_path) not in json.dumps(nbformat.read(out, as_version=4).metadata)
    visible = {p.name for p in out.parent.iterdir() if not p.name.startswith(".")}
    assert visible == {"a{b}.ipynb", "a{b}.status.json"}


@pytest.mark.parametrize(
    ("code", "reason", "limits"),
    [
        ("raise ValueError('no such\\nluck')", "ValueError: no such luck", {}),
        ("import os; os.kill(os.getpid(), 9)", "DeadKernelError", {}),
        ("import sys; sys.exit(0)", "ended itself", {}),
        ("import time; time.sleep(60)", "TimeoutError", {"cell_timeout": 1}),
        ("import time; time.sleep(60)", "TimeoutError", {"timeout": 1}),
    ],
)
def test_failures_leave_no_output(write, tmp_path, code, reason, limits):
    book, out = write("1 + 1", code, "2 + 2"), tmp_path / "out" / "a.ipynb"
    with pytest.raises(OcckdError, match=rf"cell 4: .*{reason}") as caught:
        execute(book, out, {"seed": 3}, **limits)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    status = json.loads(out.with_suffix(".status.json").read_text())
    assert (status["state"], status["cell"]) == ("failed", 4)
    cells = nbformat.read(tmp_path / "out" / "a.failed.ipynb", as_version=4).cells
    states = [c.metadata.papermill.status for c in cells if c.source in ("1 + 1", code, "2 + 2")]
    assert states[0] == "completed"
    assert "completed" not in states[1 + ("exit" in code) :]


def test_an_earlier_output_survives_a_failure(write, tmp_path):
    out = tmp_path / "out" / "a.ipynb"
    out.parent.mkdir()
    out.write_text("earlier")
    with pytest.raises(OcckdError):
        execute(write("1 / 0"), out)
    assert out.read_text() == "earlier"


def test_an_unknown_kernel_is_one_line(write, tmp_path):
    with pytest.raises(OcckdError, match="no-such-kernel"):
        execute(write("1"), tmp_path / "a.ipynb", kernel="no-such-kernel")


# --- the book itself ----------------------------------------------------------------------

REPOSITORY = Path(__file__).parents[2]


def test_every_notebook_is_executed_and_compares_something():
    """nbval compares the stored outputs of cells with its tag: there must be some."""
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        assert all(c.execution_count for c in code if c.source.strip()), path
        marked = [c for c in code if "nbval-check-output" in c.metadata.get("tags", ())]
        assert marked and all(c.outputs for c in marked), path
