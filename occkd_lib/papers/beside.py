"""Our results beside the published ones, row by row, as text that is ready to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pandas as pd

from occkd_lib.config import Recipe
from occkd_lib.methods import Row
from occkd_lib.papers import by_stage
from occkd_lib.papers.base import PRINTED_METRICS, Paper
from occkd_lib.papers.layout import as_printed, cited_work, in_order
from occkd_lib.papers.missing import recipes
from occkd_lib.papers.one import one_table
from occkd_lib.papers.published import PAPERS, is_drawn, published, published_table
from occkd_lib.results.store import Store, data_name
from occkd_lib.results.summary import OFFICIAL, REFERENCES, summary
from occkd_lib.results.text import p_text, title_of, with_interval
from occkd_lib.stages import graph, rows_of
from occkd_lib.tasks import METRICS, task_of

__all__ = ["as_printed", "by_stage", "one_table", "side_by_side"]

COMPARED = [
    f"{start} {reference}{end}"
    for reference in REFERENCES
    for start, end in (
        ("difference to", ""), ("p vs", ""), ("p vs", " (Holm)"), ("p vs", " (McNemar, by seed)"),
    )
]  # fmt: skip
COMPLETE = [
    "data set", "method", "network", "train faces", "test faces", "metric", "ours",
    "95 % interval", "published", "ours - published", "n", "seeds", *COMPARED, "subset",
    "label rule", "experiment", "command", "note",
]  # fmt: skip
SHORT = [
    "experiment", "method", "train faces", "test faces", "metric", "ours", "95 % interval", "n",
    "seeds",
]  # fmt: skip
REST = ["ours - published", *COMPARED, "subset", "label rule"]
ROW = ["name", "train faces", "test faces", "data set", "metric", "subset"]  # of a published table
HERE = {  # column of a published table -> what we call it
    "train_faces": "train faces", "test_faces": "test faces", "dataset": "data set",
    "model": "network", "note": "their note",
}  # fmt: skip
VIEWS = ("full", "lower", "upper")  # those of the papers
PLACE = [*ROW, "network"]  # of a cell; name: as the paper calls the row, or we where it does not


def side_by_side(
    store: Store, table: int | str, *, results: pd.DataFrame | None = None, complete: bool = False
) -> pd.DataFrame:
    """Our runs beside a table of TABLES: the journal's 1, 2, 3 or 4, "icpr", the ICPR paper's Table
    I, or "emotional education II" to "IX" and "text IV-E" (see ``by_stage`` for their columns).

    Text, ready to print: accuracies and their differences in per cent and points, errors in years.
    A dagger marks what the paper calls significant. results: from ``summary``, to save computing
    it. Raises ValueError for another table.

    One row for each of our results that the paper does not print in another table. A network of the
    paper stands beside its own column, and "ours - published" is filled; any other has all columns,
    for orientation. Rows that the paper does not have (the controls) say so.

    complete: one row for each cell of the published table, in its order, with "no run" where we
    have none, and the command that gives it. Results of ours that are no cell stand between them.
    """
    spec = published_table(table)
    paper = PAPERS[spec.paper]
    if paper.by_stage:
        form = by_stage.complete_form if complete else by_stage.short_form
        return form(store, paper, spec)
    theirs = their_lines(paper, published(spec.paper, spec.number))
    results = summary(store, spec.tasks) if results is None else results
    ours = our_lines(store, paper, spec.tasks, results, theirs)
    networks = [name for name in paper.networks.values() if name in set(theirs["network"])]
    for name in networks:
        cells = theirs[theirs["network"] == name].set_index(ROW)["published"].to_dict()
        shown = (ours["network"] == name) | ~ours["network"].isin(networks)
        places = ours[ROW].itertuples(index=False, name=None)
        ours[f"published {name}"] = np.where(shown, [cells.get(p, "") for p in places], "")
    found = ours.merge(theirs, on=PLACE, how="outer" if complete else "left")
    gap = found["mean"] - found["value"]
    found["ours - published"] = gap.map(lambda points: "" if np.isnan(points) else f"{points:+.2f}")
    found["note"] = found["their note"].fillna(found["why"])
    order = {"experiment": list(store.recipe.experiments), "subset": [OFFICIAL]}
    columns = [*SHORT, *(f"published {name}" for name in networks), *REST, "network", "note"]
    if complete:
        found = filled(found, paper, store.recipe)
        titles = [
            title_of(row, task_of(experiment.task))
            for experiment in store.recipe.experiments.values()
            for row in rows_of(experiment).values()
        ]
        cited = theirs["name"][theirs["name"].str.startswith(paper.cited)]
        order = {
            "subset": [OFFICIAL],
            "method": [*(cited_work(paper, name) for name in cited), *titles],
            "test faces": ["full"],
            "network": list(theirs["network"]),
            "data set": list(theirs["data set"]),
        }
        columns = COMPLETE
    order["metric"] = [metric.heading for metric in METRICS.values()]
    return in_order(found, order)[columns].fillna("")


def their_lines(paper: Paper, cells: pd.DataFrame) -> pd.DataFrame:
    """Published cells in our columns: PLACE, value, published (with dagger; the paper's own dash),
    their note."""
    ours = {printed: METRICS[name].heading for name, printed in PRINTED_METRICS.items()}
    words = cells["metric"].str.replace("_pct", ", %").str.replace("_", " ")
    cited = cells["row_method"].str.startswith(paper.cited)  # told apart by its reference
    text = cells["value"].map("{:.2f}".format) + np.where(cells["significant"], "†", "")
    found = cells.assign(
        name=cells["row_method"].where(cited, cells["method"]),
        metric=cells["metric"].map(ours).fillna(words),
        subset=OFFICIAL,
        published=text.where(cells["value"].notna(), "-"),
    ).rename(columns=HERE)
    return found[[*PLACE, "value", "published", "their note"]]


def our_lines(
    store: Store, paper: Paper, tasks: Sequence[str], results: pd.DataFrame, theirs: pd.DataFrame
) -> pd.DataFrame:
    """Our results in words, those that the paper prints in another table left out.

    Columns: PLACE, experiment, method (as we call it), mean (number, in the printed unit), ours ...
    label rule, why (nothing published stands beside it). Left out are experiments that have nothing
    of the paper, and views of ``test_views`` that a network never practised.
    """
    there = set(theirs[ROW].itertuples(index=False, name=None))
    rows = {name: rows_of(e) for name, e in store.recipe.experiments.items()}
    names, lines = set(theirs["name"]), []
    for line in results.to_dict("records") if paper.datasets else ():
        experiment = store.recipe.experiments[line["experiment"]]
        row = rows[line["experiment"]][line["row"], line["test_faces"]]
        name = row.published.get(paper.name)
        ours = any(r.published.get(paper.name) for r in rows[line["experiment"]].values())
        if not ours or line["task"] not in tasks or (name is not None and name not in names):
            continue
        if line["test_faces"] in {*experiment.test_views} - {*VIEWS, *row.trained_on}:
            continue  # chapter 18 and the page's own tables have what a network never practised
        metric, key = METRICS[line["metric"]], (line["dataset"], line["task"])
        place = (
            name or row.name, line["train_faces"], line["test_faces"],
            paper.datasets.get(key, line["dataset"]), metric.heading, line["subset"],
        )  # fmt: skip
        why = "network not in the paper" if place in there else "not in the paper"
        if key not in paper.datasets:
            drawn = is_drawn(experiment)
            why = "built-in faces: not comparable with the papers" if drawn else "data set " + why
        elif line["subset"] != OFFICIAL:
            why = "subset not in the paper"
        mean, sd, low, high = (metric.factor * line[key] for key in ("mean", "sd", "low", "high"))
        lines.append(
            {
                **dict(zip(ROW, place, strict=True)),
                "network": paper.networks.get(line["network"], line["network"]),
                "experiment": line["experiment"],
                "method": line["title"],
                "mean": mean,
                "ours": f"{mean:.2f}" + ("" if np.isnan(sd) else f" ± {sd:.2f}"),
                "95 % interval": f"[{low:.2f}, {high:.2f}]",
                "n": str(line["n"]),
                "seeds": str(line["seeds"]),
                **compared(line, metric.factor),
                "label rule": line["label_rule"],
                "why": why,
            }
        )
    words = [*SHORT[:2], "ours", "95 % interval", "n", "seeds", *COMPARED, "label rule", "why"]
    return pd.DataFrame(lines, columns=[*PLACE, "mean", *words]).astype({"mean": float})


def compared(line: dict, factor: float) -> dict[str, str]:
    """The columns COMPARED: difference, p, Holm's p, each seed's McNemar p; or empty."""
    texts: list[str] = []
    for reference in REFERENCES:
        vs, exact = f"vs_{reference}", line[f"p_vs_{reference}_by_seed"]
        found = [factor * line[vs + end] for end in ("", "_low", "_high")]
        words = [with_interval(*found, sign="+"), p_text(line[f"p_{vs}"])]
        words += [p_text(line[f"p_{vs}_holm"])]
        words += [", ".join(map(p_text, exact)) if len(exact) > 1 else ""]  # one: it is p itself
        texts += [""] * 4 if np.isnan(line[vs]) else words
    return dict(zip(COMPARED, texts, strict=True))


def places(paper: Paper, recipes: Iterable[Recipe]) -> tuple[dict[tuple, Row], dict[tuple, str]]:
    """What the recipes have of a paper, the first recipe first: (name there, train faces, test
    faces) -> row; these, data set and network there -> the command to run it."""
    rows: dict[tuple, Row] = {}
    commands: dict[tuple, str] = {}
    for recipe in recipes:
        for name, experiment in recipe.experiments.items():
            networks = {stage.name: stage.network.name for stage in graph(experiment).values()}
            dataset = paper.datasets.get((data_name(experiment.data), experiment.task))
            for row in rows_of(experiment).values():
                where = (row.published.get(paper.name), "+".join(row.trained_on), row.view)
                network = paper.networks.get(networks[row.parts[0]])
                rows.setdefault(where, row)
                commands.setdefault((*where, dataset, network), recipe.command(name))
    return rows, commands


@cache
def builtin_places(paper: str) -> tuple[dict[tuple, Row], dict[tuple, str]]:
    """``places`` of the built-in recipes, first of the one that repeats the paper."""
    return places(PAPERS[paper], recipes(PAPERS[paper].recipe))


def filled(found: pd.DataFrame, paper: Paper, recipe: Recipe) -> pd.DataFrame:
    """The complete form, with words where there is only a published value, and the command that
    gives ours: of ``recipe`` if it can, else of the recipe that repeats the paper, or any other."""
    rows, commands = builtin_places(paper.name)
    own_rows, own_commands = places(paper, [recipe])
    rows, commands = rows | own_rows, commands | own_commands
    tasks = {name: task_of(task) for (_, task), name in paper.datasets.items()}
    own = found["experiment"].astype(object).map(recipe.command, na_action="ignore")
    found = found.assign(command=own.fillna(""))
    for i in found.index[found["ours"].isna()]:
        name, *views, dataset, network = found.loc[i, [*ROW[:4], "network"]]
        words = [name, "no recipe yet"]
        if name.startswith(paper.cited):
            words = [cited_work(paper, name), ""]
        elif (name, *views) in rows:
            words = [title_of(rows[name, *views], tasks[dataset]), "no run"]
        get = commands.get((name, *views, dataset, network), "")
        found.loc[i, ["method", "ours", "command"]] = [*words, get]
    return found
