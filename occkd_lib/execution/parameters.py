"""The parameters cell of a notebook: what it declares, and values checked against it.

A notebook that ``occkd nb`` executes has one cell tagged ``parameters`` with nothing but lines
``name: type = literal``. papermill itself only warns of a misspelt name; here it is an error.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Union, get_args

import nbformat
from nbformat import NotebookNode
from pydantic import TypeAdapter, ValidationError

from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean
from occkd_lib.project import one_line
from occkd_lib.settings import first_error

Value = str | int | float | bool | None
TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "None": None}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: ``name: float | None = 0.5``; kind: its type."""

    name: str
    kind: Any
    default: Value
    line: str

    def check(self, value: Any, *, text: bool = False) -> Value:
        """``value``, if it is of this kind (an int is a float, too) or, with text, means one."""
        kind = TypeAdapter(self.kind)
        if text and value.lower() == "none" and NoneType in get_args(self.kind):
            return None
        try:
            return (
                kind.validate_strings(value) if text else kind.validate_python(value, strict=True)
            )
        except ValidationError as error:
            raise OcckdError(f"parameter {self.line}: {value!r}: {first_error(error)}") from None


def read(notebook: Path) -> NotebookNode:
    """The notebook, in format 4; OcckdError names the file when it is missing or damaged."""
    try:
        return nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise OcckdError(f"no notebook {notebook}") from None
    except Exception as error:  # nbformat raises whatever its JSON and schema readers raise
        raise OcckdError(f"{notebook} is not a readable notebook: {one_line(error)}") from None


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """What the notebook's ``parameters`` cell declares: lines ``name: type = literal``.

    Raises OcckdError when there is no such cell, or when it holds anything else.
    """
    cells = [c for c in read(notebook).cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise OcckdError(f"{notebook} has {len(cells)} cells tagged 'parameters': it needs one")
    try:
        lines = ast.parse(cells[0].source).body
        return {parameter.name: parameter for parameter in map(declared, lines)}
    except SyntaxError as error:
        raise OcckdError(f"{notebook}: parameters cell, line {error.lineno}: {error.msg}") from None
    except OcckdError as error:
        raise OcckdError(f"{notebook}: parameters cell: {error}") from None


def declared(line: ast.stmt) -> Parameter:
    """The parameter that a line declares; OcckdError for any other line."""
    text = ast.unparse(line)
    try:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            raise ValueError
        kinds = [TYPES[word.strip()] for word in ast.unparse(line.annotation).split("|")]
        default = ast.literal_eval(line.value or ast.Name("missing"))
    except (ValueError, KeyError):
        raise OcckdError(
            f"write {text!r} as 'name: type = literal', where type is one of {', '.join(TYPES)}, "
            "or several with |"
        ) from None
    parameter = Parameter(line.target.id, Union[tuple(kinds)], default, text)  # noqa: UP007
    parameter.check(default)
    return parameter


def check_parameters(
    notebook: Path, given: Mapping[str, Any], *, text: bool = False
) -> dict[str, Value]:
    """``given`` (text: from a command line), checked and typed; OcckdError for any other name."""
    known = declared_parameters(notebook)
    for name in given:
        if name not in known:
            lines, near = "; ".join(p.line for p in known.values()), did_you_mean(name, known)
            raise OcckdError(f"{notebook} has no parameter {name!r}{near}; it has: {lines}")
    return {name: known[name].check(value, text=text) for name, value in given.items()}


def parse_parameters(notebook: Path, assignments: Sequence[str]) -> dict[str, Value]:
    """Values from ``name=value`` strings, converted to the types that the notebook declares."""
    texts: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name in texts:
            raise OcckdError(f"parameter {assignment!r}: write each one once, as name=value")
        texts[name] = text
    return check_parameters(notebook, texts, text=True)
