"""The results page: tables as HTML and Markdown."""

from __future__ import annotations

from html import escape
from string import Template

import pandas as pd

from occkd_lib.config import Recipe
from occkd_lib.report.published import published
from occkd_lib.runs import environment

TITLES = {
    1: "Facial expression (the journal's Table 1)",
    2: "Gender (the journal's Table 2)",
    3: "Age (the journal's Table 3)",
    4: "SVM on each embedding and on both (the journal's Table 4)",
}


def without_empty_columns(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[:, (table != "").any()]


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table; columns without content are left out."""
    table = without_empty_columns(table)
    lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def table_section(number: int, table: pd.DataFrame) -> str:
    """HTML of one table from ``side_by_side``, with the oddities of the published one."""
    cells = published("journal", number)
    odd = cells[(cells["note"] != "") & (cells["dataset"] != "AffectNet")]
    notes = dict.fromkeys(f"{r.method}, {r.model}: {r.note}" for r in odd.itertuples())
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    remarks = f"<details><summary>Odd in the published table</summary><ul>{remarks}</ul></details>"
    with pd.option_context("display.max_colwidth", None):  # pandas would cut long cells
        html = without_empty_columns(table).to_html(index=False, border=0)
    return (
        f"<h2>{escape(TITLES[number])}</h2>\n<div class='wide'>{html}</div>\n"
        f"<p><a href='table{number}.csv'>CSV</a> · <a href='table{number}.md'>Markdown</a></p>\n"
        + (remarks if notes else "")
    )


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
<p><b>ours</b>: mean over seeds ± SD over seeds [95 % interval over test faces], in per cent or
years; Wilson's interval for one seed's accuracy, bootstrap otherwise. <b>difference</b>: with its
paired bootstrap interval; points, or years. <b>p</b>: McNemar's exact test for one seed's accuracy,
paired bootstrap otherwise; <b>Holm</b>: over all rows of a data set, task and subset.
<b>control</b>: the student trained on for as long, without a teacher; for an SVM, the SVM on that
control. <b>full, lower, upper</b>: the visible part of the faces. <b>†</b>: called significant by
the paper. The tests take the trained networks as given; what another seed would do, the SD over
seeds shows, not p.</p>
<p>Unrounded: <a href="summary.csv">summary.csv</a>, <a href="values.csv">values.csv</a>. How it was
made, run by run: <a href="protocol.json">protocol.json</a>. Page written by $code.</p>
</div>
$body
</body>
</html>
""")
