"""Tables as HTML, written by hand: a thousand cells cost Sphinx seconds, and us nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

LONG = 40  # characters: longer cells break their lines


def raw(html: str) -> str:
    """HTML inside a page of Markdown."""
    return f"````{{raw}} html\n{html}\n````\n"


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in a box that scrolls; sort.js makes its columns sortable."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    table = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="table-wrapper wide"><table class="docutils">{table}</table></div>'


def cell(text: str) -> str:
    """One cell."""
    kind = ' class="long"' if len(text) > LONG else ""
    return f"<td{kind}>{escape(text)}</td>"


def told_once(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]], dict[str, str]]:
    """The table without its empty columns and those of one value, and these values."""
    values = [{row[i] for row in rows} for i in range(len(columns))]
    kept = [
        i for i, each in enumerate(values) if len(each) > 1 or (len(rows) == 1 and each != {""})
    ]
    same = {
        columns[i]: rows[0][i]
        for i, each in enumerate(values)
        if rows and i not in kept and each != {""}
    }
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows], same
