"""Tables of text as CSV, Markdown and LaTeX; texts that are written whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from occkd_lib.project import write_atomically

LATEX = {"†": r"$^\dagger$", "±": r"$\pm$", "<": "$<$", ">": "$>$", "·": r"$\cdot$"}
NARROW = {"note", "command"}  # long texts: columns that break their lines


def without_empty_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that say anything."""
    return table.loc[:, (table != "").any()]


def without_constants(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table without columns of one and the same value, and these values."""
    filled = without_empty_columns(table)
    same = [c for c in filled if len(filled) > 1 and filled[c].nunique() == 1]
    return filled.drop(columns=same), {c: filled[c].iloc[0] for c in same}


def brief(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """``side_by_side`` for a page of a chapter, and what is the same in all its rows, in words.

    Without each seed's own p and the networks, which the file has. By its first column.
    """
    kept = table[[c for c in table if "by seed" not in c and c != "network"]]
    rows, same = without_constants(kept)
    words = "; ".join(f"{name}: {value}" for name, value in same.items())
    return rows.set_index(rows.columns[0]), words


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table; columns without content are left out."""
    escaped = without_empty_columns(table).map(lambda cell: cell.replace("|", "\\|"))
    return escaped.to_markdown(index=False, tablefmt="github", disable_numparse=True) + "\n"


def latex(table: pd.DataFrame, caption: str) -> str:
    """A longtable with booktabs rules. Columns of one value go to the caption."""
    table, constants = without_constants(table)
    same = "; ".join(f"{name}: {value}" for name, value in constants.items())
    caption = re.sub("([&%$#_])", r"\\\1", f"{caption}. {same}." if same else f"{caption}.")
    text = table.to_latex(
        index=False,
        escape=True,
        longtable=True,
        caption=caption,
        column_format="".join("p{4cm}" if c in NARROW else "l" for c in table),
    )
    for character, command in LATEX.items():
        text = text.replace(character, command)
    text = text.replace("\n[", "\n{[}")  # else an argument of the line break before it
    needed = r"% \usepackage{booktabs,longtable}; wide: \usepackage{pdflscape}, landscape"
    return f"{needed}\n{{\\scriptsize\\setlength{{\\tabcolsep}}{{3pt}}\n{text}}}\n"


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_table(folder: Path, stem: str, table: pd.DataFrame, caption: str) -> None:
    """``stem``.csv, .md and .tex."""
    write_text(folder / f"{stem}.csv", table.to_csv(index=False))
    write_text(folder / f"{stem}.md", markdown(table))
    write_text(folder / f"{stem}.tex", latex(table, caption))
