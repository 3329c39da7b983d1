"""Our results beside the published ones, row by row, as text that is ready to print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from occkd_lib.papers import PAPERS, is_drawn, published, published_table
from occkd_lib.papers.base import Cell, Paper
from occkd_lib.papers.places import (
    Filler,
    Place,
    cells_beside,
    fillers,
    fits,
    heading_of,
    place_of_cell,
    place_of_line,
)
from occkd_lib.results.store import Store
from occkd_lib.results.summary import OFFICIAL, summary
from occkd_lib.results.text import p_text, title_of, with_interval
from occkd_lib.stages import rows_of
from occkd_lib.tasks import METRICS, task_of

DRAWN = "built-in faces: not comparable with the papers"
NOT_PUBLISHED = "not in the paper"
NO_RUN, NO_RECIPE = "no run", "no recipe yet"
COMPARED = tuple(
    column
    for name in ("student", "control")
    for p in [f"p vs {name}"]
    for column in (f"difference to {name}", p, f"{p} (Holm)", f"{p} (McNemar, by seed)")
)
COMPLETE = (
    "data set", "method", "network", "train faces", "test faces", "metric", "ours",
    "95 % interval", "published", "ours - published", "n", "seeds", *COMPARED, "subset",
    "label rule", "experiment", "to get it", "note",
)  # fmt: skip
Line = dict[str, Any]  # one of ``summary``


class Ours(NamedTuple):
    """A line of ``summary``, where it belongs, and why nothing can stand beside it (or "")."""

    line: Line
    place: Place
    why: str


def side_by_side(
    store: Store, table: int | str, *, results: pd.DataFrame | None = None, complete: bool = False
) -> pd.DataFrame:
    """Our runs beside the journal's Table 1, 2, 3 or 4, or beside "icpr", the ICPR paper's Table I.

    Text, ready to print: accuracies and their differences in per cent and points, errors in years.
    A dagger marks what the paper calls significant. results: from ``summary``, to save computing
    it. Raises ValueError for another table.

    One row for each of our results that the paper does not print in another table. A network of the
    paper stands beside its own column, and "ours - published" is filled; any other has all columns,
    for orientation. Rows that the paper does not have (the controls) say so.

    complete: one row for each cell of the published table, in its order, with "no run" where we
    have none, and the command to get it. Results of ours that are no cell stand between them.
    """
    spec = published_table(table)
    paper, cells = PAPERS[spec.paper], published(spec.paper, spec.number)
    results = summary(store, spec.tasks) if results is None else results
    rows = {
        (name, *key): row
        for name, experiment in store.recipe.experiments.items()
        for key, row in rows_of(experiment).items()
    }
    here, lines = {*cells["method"]}, []
    for line in results.to_dict("records") if paper.datasets else ():
        row = rows[line["experiment"], line["row"], line["test_faces"]]
        if line["task"] in spec.tasks and row.published.get(paper.name) in {None, *here}:
            lines.append(Ours(line, place_of_line(paper, line, row), why_not(store, paper, line)))
    if complete:
        titles = [
            title_of(row, task_of(store.recipe.experiments[name].task))
            for (name, *_), row in rows.items()
        ]
        return every_cell(list(fillers(paper, store.recipe)), paper, cells, lines, titles)
    order = list(store.recipe.experiments)
    networks = [name for name in paper.networks.values() if name in {*cells["model"]}]

    def position(ours: Ours) -> tuple:
        line = ours.line
        metric = list(METRICS).index(line["metric"])
        return order.index(line["experiment"]), line["subset"] != OFFICIAL, metric

    return pd.DataFrame([beside(ours, cells, networks) for ours in sorted(lines, key=position)])


def why_not(store: Store, paper: Paper, line: Line) -> str:
    """Why nothing of the paper can stand beside a line of ours; empty if something may."""
    if (line["dataset"], line["task"]) not in paper.datasets:
        drawn = is_drawn(store.recipe.experiments[line["experiment"]])
        return DRAWN if drawn else "data set not in the paper"
    return "" if line["subset"] == OFFICIAL else "subset not in the paper"


def beside(ours: Ours, cells: pd.DataFrame, networks: Sequence[str]) -> dict[str, str]:
    """A line of ours as text, with the published row that corresponds to it."""
    line, place, why = ours
    theirs = {} if why else cells_beside(cells, place)
    same = theirs.get(place.network)
    note = why or ("" if theirs else NOT_PUBLISHED)
    if place.network in networks:
        theirs = {place.network: same} if same else {}
    return {
        "experiment": line["experiment"],
        **described(line),
        **measured(line),
        **{f"published {name}": printed(theirs.get(name)) for name in networks},
        "ours - published": minus(line, same),
        **compared(line),
        "subset": line["subset"],
        "label rule": line["label_rule"],
        "network": line["network"],
        "note": same.note if same else note,
    }


# --- every cell ---------------------------------------------------------------------------------


def every_cell(
    known: Sequence[Filler],
    paper: Paper,
    cells: pd.DataFrame,
    lines: Sequence[Ours],
    titles: Iterable[str],
) -> pd.DataFrame:
    """The complete form: columns COMPLETE; cited works first, then ours in the order of titles."""
    theirs = {place_of_cell(paper, cell): cell for cell in cells.to_dict("records")}
    texts: list[tuple[bool, Place, dict[str, str]]] = []
    for ours in lines:
        cell = None if ours.why else theirs.get(ours.place)
        texts.append((ours.line["subset"] != OFFICIAL, ours.place, with_run(ours, cell, cells)))
    have = {ours.place for ours in lines if ours.line["subset"] == OFFICIAL}
    for place, cell in theirs.items():
        if place not in have:
            texts.append((False, place, without_run(known, paper, place, cell)))

    cited = [text["method"] for _, place, text in texts if place.method.startswith(paper.cited)]
    places = [place for _, place, _ in texts]
    order = [
        {value: rank for rank, value in enumerate(dict.fromkeys(values))}
        for values in (
            [*cited, *titles, *(text["method"] for *_, text in texts)],
            ["full", *(place.test_faces for place in places)],
            [*cells["model"], *(place.network for place in places)],
            [*cells["dataset"], *(place.dataset for place in places)],
            [*METRICS, *(place.metric for place in places)],
        )
    ]

    def position(entry: tuple[bool, Place, dict[str, str]]) -> tuple:
        later, (_, _, view, network, dataset, metric), text = entry
        where = (text["method"], view, network, dataset, metric)
        return later, *(rank[value] for rank, value in zip(order, where, strict=True))

    ordered = [text for *_, text in sorted(texts, key=position)]
    return pd.DataFrame(ordered, columns=list(COMPLETE)).fillna("")


def with_run(ours: Ours, cell: dict[str, Any] | None, cells: pd.DataFrame) -> dict[str, str]:
    """A line of the complete table that has a result of ours."""
    line, place, why = ours
    same = as_cell(cell) if cell else None
    if not why:
        why = "network not in the paper" if cells_beside(cells, place) else NOT_PUBLISHED
    return {
        "data set": place.dataset,
        "network": place.network,
        **described(line),
        **measured(line),
        "published": printed(same),
        "ours - published": minus(line, same),
        **compared(line),
        "subset": line["subset"],
        "label rule": line["label_rule"],
        "experiment": line["experiment"],
        "note": same.note if same else why,
    }


def without_run(
    known: Sequence[Filler], paper: Paper, place: Place, cell: dict[str, Any]
) -> dict[str, str]:
    """A line of the complete table that has only the published value."""
    fitting = [filler for filler in known if fits(paper, filler, place)]
    right = [f.command for f in fitting if (f.network, f.dataset) == (place.network, place.dataset)]
    title, ours = place.method, NO_RECIPE
    if place.method.startswith(paper.cited):
        title, ours = place.method.replace(paper.cited, "cited work"), ""
    elif fitting:
        tasks = {printed: task for (_, task), printed in paper.datasets.items()}
        title, ours = title_of(fitting[0].row, task_of(tasks[place.dataset])), NO_RUN
    return {
        "data set": place.dataset,
        "method": title,
        "network": place.network,
        "train faces": place.train_faces,
        "test faces": place.test_faces,
        "metric": heading_of(place.metric),
        "ours": ours,
        "published": printed(as_cell(cell)),
        "to get it": right[0] if right else "",
        "note": cell["note"],
    }


def as_printed(complete: pd.DataFrame) -> pd.DataFrame:
    """A complete table in the papers' own layout, official test faces only.

    Rows: method, network, train and test faces. Columns: data set, metric, and for each of them
    published and ours (several experiments at one place are parted by a slash).
    """
    rows = complete[complete["subset"].isin(["", OFFICIAL])]
    keys = ["method", "network", "train faces", "test faces"]

    def joined(values: pd.Series) -> str:
        return " / ".join(dict.fromkeys(v for v in values if v))

    blocks = {
        block: part.groupby(keys, sort=False)[["published", "ours"]].agg(joined)
        for block, part in rows.groupby(["data set", "metric"], sort=False)
    }
    wide = pd.concat(blocks, axis=1).fillna("")
    wide = wide.reindex(pd.MultiIndex.from_frame(rows[keys].drop_duplicates()))
    return wide.loc[:, (wide != "").any()]


# --- one line as text ---------------------------------------------------------------------------


def described(line: Line) -> dict[str, str]:
    return {
        "method": line["title"],
        "train faces": line["train_faces"],
        "test faces": line["test_faces"],
        "metric": heading_of(line["metric"]),
    }


def measured(line: Line) -> dict[str, str]:
    """Mean ± SD over seeds, and the interval over test faces."""
    factor = METRICS[line["metric"]].factor
    spread = "" if math.isnan(line["sd"]) else f" ± {factor * line['sd']:.2f}"
    return {
        "ours": f"{factor * line['mean']:.2f}{spread}",
        "95 % interval": f"[{factor * line['low']:.2f}, {factor * line['high']:.2f}]",
        "n": str(line["n"]),
        "seeds": str(line["seeds"]),
    }


def compared(line: Line) -> dict[str, str]:
    """The columns COMPARED: difference, p, Holm's p, each seed's McNemar p; or empty."""
    factor, texts = METRICS[line["metric"]].factor, []
    for reference in ("vs_student", "vs_control"):
        if math.isnan(line[reference]):
            texts += [""] * 4
            continue
        low, high = factor * line[f"{reference}_low"], factor * line[f"{reference}_high"]
        exact = line[f"p_{reference}_by_seed"]
        texts += [
            with_interval(factor * line[reference], low, high, sign="+"),
            p_text(line[f"p_{reference}"]),
            p_text(line[f"p_{reference}_holm"]),
            ", ".join(map(p_text, exact)) if len(exact) > 1 else "",  # one: it is p itself
        ]
    return dict(zip(COMPARED, texts, strict=True))


def as_cell(cell: dict[str, Any]) -> Cell:
    return Cell(cell["value"], cell["significant"], cell["note"])


def printed(cell: Cell | None) -> str:
    """A published value with its dagger; the paper's own dash, and nothing where it has no cell."""
    if cell is None:
        return ""
    return "-" if math.isnan(cell.value) else f"{cell.value:.2f}" + "†" * cell.significant


def minus(line: Line, cell: Cell | None) -> str:
    """Ours minus published, in points or years."""
    if cell is None or math.isnan(cell.value):
        return ""
    return f"{METRICS[line['metric']].factor * line['mean'] - cell.value:+.2f}"
