"""The results page: how its parts look in HTML."""

from __future__ import annotations

import re
from html import escape
from string import Template
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Recipe
from occkd_lib.report.formats import html
from occkd_lib.report.published import PublishedTable, published
from occkd_lib.runs import environment


class Section(NamedTuple):
    """A further part of the page: what it shows, in words, as a table, and perhaps as a figure."""

    title: str
    table: pd.DataFrame
    sentence: str
    figure: Figure | None = None


def stem_of(title: str) -> str:
    """A title as the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def links(stem: str) -> str:
    """HTML links to the files of one table."""
    kinds = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
    return " · ".join(f"<a href='{stem}.{end}'>{name}</a>" for end, name in kinds.items())


def table_section(spec: PublishedTable, table: pd.DataFrame, complete: pd.DataFrame) -> str:
    """HTML of one table from ``side_by_side``, both forms, with the oddities of the published one.

    table: may be empty; complete: every published cell.
    """
    cells = published(spec.paper, spec.number)
    odd = cells[cells["note"] != ""]
    notes = dict.fromkeys(f"{r.method}, {r.model}: {r.note}" for r in odd.itertuples())
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    remarks = f"<details><summary>Odd in the published table</summary><ul>{remarks}</ul></details>"
    ours = "<p>No finished run of this recipe belongs here.</p>"
    if len(table):
        ours = f"<div class='wide'>{html(table)}</div>\n<p>{links(spec.stem)}</p>"
    summary = "The complete published table, with and without a run of ours"
    return (
        f"<h2>{escape(spec.title)}</h2>\n{ours}\n"
        f"<details><summary>{summary}</summary><div class='wide'>{html(complete)}</div></details>\n"
        f"<p>Complete: {links(f'{spec.stem}-complete')}</p>\n" + (remarks if notes else "")
    )


def picture(path: str, caption: str) -> str:
    """HTML of a figure; path: from the page's folder."""
    text = escape(caption)
    image = f'<img src="{escape(path)}" alt="{text}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def page(recipe: Recipe, sections: list[str]) -> str:
    """The whole page: how to read it, then the sections (HTML)."""
    now = environment()
    return PAGE.substitute(
        title=escape(f"Results of recipe {recipe.name}"),
        description=escape(recipe.description),
        code=escape(f"commit {now['git_commit']}, library {now['library_hash']}"),
        body="\n".join(sections),
    )


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; white-space: nowrap;
  border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 2px solid #888; white-space: normal; vertical-align: bottom; }
tbody tr:hover { background: #f5f8fb; }
figure { margin: 1.5rem 0; } img { max-width: min(100%, 52rem); }
figcaption, .how { color: #555; font-size: 14px; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$description</p>
<div class="how">
<p><b>ours</b>: mean over seeds ± SD over seeds, in per cent or years. <b>95 % interval</b>: over
test faces; Wilson's for one seed's accuracy, bootstrap otherwise. <b>difference</b>: with its
paired bootstrap interval; points, or years. <b>p</b>: McNemar's exact test for one seed's accuracy,
paired bootstrap otherwise; <b>Holm</b>: over all rows of a data set, task and subset.
<b>control</b>: the student trained on for as long, without a teacher; for an SVM, the SVM on that
control. <b>full, lower, upper</b>: the visible part of the faces. <b>†</b>: called significant by
the paper. <b>-</b>: its own dash. <b>no run</b>: a published value that nothing here repeats yet;
<b>to get it</b> is the command. The tests take the trained networks as given; what another seed
would do, the SD over seeds shows, not p.</p>
<p>Unrounded: <a href="summary.csv">summary.csv</a>, <a href="values.csv">values.csv</a>. How it was
made, run by run: <a href="protocol.json">protocol.json</a>. Page written by $code.</p>
</div>
$body
</body>
</html>
""")
