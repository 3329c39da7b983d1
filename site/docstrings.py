"""Docstrings of the library are plain text with ``code`` and formulas: the same for Sphinx."""

from __future__ import annotations

import re
from itertools import groupby
from textwrap import dedent, indent

# What stays (code, formulas), and marks that would mean something else.
MARKS = re.compile(r"(``.+?``|:math:`.+?`)|([*`|\\]|(?<=\w)_(?!\w))", re.DOTALL)


def as_rst(lines: list[str]) -> list[str]:
    """Paragraphs, lists and formulas as such; what is set in columns, or indented, as it stands."""
    found: list[str] = []
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        if not blank:
            found += [*block(list(group)), ""]
    return found


def block(lines: list[str]) -> list[str]:
    """One paragraph, list or table of a docstring."""
    if lines[0].startswith(".. math::"):
        return lines
    if re.match(r"[*-] ", lines[0]) and all(re.match(r"[*-] |  \S", line) for line in lines):
        return [line[:2].replace("-", "*") + escaped(line[2:]) for line in lines]
    if any(line != line.lstrip() for line in lines):
        set_out = indent(dedent("\n".join(lines)), "    ").split("\n")
        return [".. code-block:: text", "", *set_out]
    return escaped("\n".join(lines)).split("\n")


def escaped(text: str) -> str:
    """The text with every mark of reStructuredText but ``code`` taken literally."""
    return MARKS.sub(lambda found: found[1] or f"\\{found[2]}", text)
