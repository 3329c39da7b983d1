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
from typing import Any

import nbformat
from nbformat import NotebookNode

from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

Value = str | int | float | bool | None
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "None": NoneType}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: ``name: float | None = 0.5``."""

    name: str
    types: tuple[type, ...]
    default: Value

    def __str__(self) -> str:
        kinds = " | ".join(name for name, kind in TYPES.items() if kind in self.types)
        return f"{self.name}: {kinds} = {self.default!r}"

    def check(self, value: Any) -> Value:
        """``value`` if it has the declared type; an int is welcome where a float is declared."""
        if type(value) is int and int not in self.types and float in self.types:
            return float(value)
        if type(value) not in self.types:
            raise OcckdError(f"parameter {self}: {value!r} is of type {type(value).__name__}")
        return value

    def parse(self, text: str) -> Value:
        """The value that ``text``, from a command line, stands for."""
        words = {"none": None, "true": True, "false": False}
        word = words.get(text.lower(), text)
        if type(word) in self.types and word is not text:
            return word
        for kind in (int, float, str):
            if kind in self.types:
                try:
                    return kind(text)
                except ValueError:
                    continue
        raise OcckdError(f"parameter {self}: {text!r} cannot be read as such")


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
    except SyntaxError as error:
        raise OcckdError(f"{notebook}: parameters cell, line {error.lineno}: {error.msg}") from None
    parameters = [_declared(line, notebook) for line in lines]
    return {parameter.name: parameter for parameter in parameters}


def _declared(line: ast.stmt, notebook: Path) -> Parameter:
    try:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            raise ValueError
        kinds = tuple(TYPES[word.strip()] for word in ast.unparse(line.annotation).split("|"))
        default = ast.literal_eval(line.value or ast.Name("missing"))
    except (ValueError, KeyError):
        known = ", ".join(TYPES)
        raise OcckdError(
            f"{notebook}: parameters cell: write {ast.unparse(line)!r} as 'name: type = literal', "
            f"where type is one of {known}, or several with |"
        ) from None
    parameter = Parameter(line.target.id, kinds, default)
    try:
        return Parameter(parameter.name, kinds, parameter.check(default))
    except OcckdError as error:
        raise OcckdError(f"{notebook}: {error}") from None


def check_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, Value]:
    """``given``, checked and typed; OcckdError lists what the notebook declares."""
    known = declared_parameters(notebook)
    for name in given:
        if name not in known:
            names = "; ".join(map(str, known.values()))
            raise OcckdError(f"{notebook} has no parameter {name!r}; it has: {names}")
    return {name: known[name].check(value) for name, value in given.items()}


def parse_parameters(notebook: Path, assignments: Sequence[str]) -> dict[str, Value]:
    """Values from ``name=value`` strings, converted to the types that the notebook declares."""
    texts = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name in texts:
            raise OcckdError(f"parameter {assignment!r}: write each one once, as name=value")
        texts[name] = text
    known = declared_parameters(notebook)
    typed = {name: known[name].parse(text) for name, text in texts.items() if name in known}
    return check_parameters(notebook, texts | typed)
