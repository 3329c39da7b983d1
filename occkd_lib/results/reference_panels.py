"""What the reference says of a chapter's question: real faces, over recipes and experiments.

A Section each: ``table`` in numbers (``plots.reference_forest`` draws it), ``text`` to print, and a
``sentence`` that the numbers choose. ``where`` are (recipe, experiment); one that is not on file is
left out, and OcckdError says how to write it where none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm
from occkd_lib.occlusion import view_title
from occkd_lib.results.crossed_table import Tables, contrast
from occkd_lib.results.differences import LEVEL
from occkd_lib.results.kept import on_file, reference
from occkd_lib.results.summary import OFFICIAL
from occkd_lib.results.text import Section, p_text, with_interval
from occkd_lib.tasks import METRICS, task_of

Where = Sequence[tuple[str, str]]

HALF_FACES: Where = (
    ("laptop", "fer"), ("laptop", "gender"), ("laptop", "age"),
    ("trunk", "fer"), ("trunk", "gender"), ("trunk", "age"), ("face", "fer"),
)  # fmt: skip
CALLED = {"ferplus": "FER+", "utkface": "UTKFace", "affectnet": "AffectNet", "rafdb": "RAF-DB"}
VISIBLE = "visible"  # the part of the face that an experiment is about


def reference_gains(
    rows: Sequence[str] | None = None,
    where: Where = HALF_FACES,
    *,
    metric: str | None = None,
    against: str = "control",
) -> Section:
    """What rows differ by from their control (or student), as ``summary.csv`` has it.

    rows: None for all. metric: by default the task's own. p (Holm) is the published one
    (``summary.HOLM``); the table has p (faces), too, with these trainings taken as given. Raises
    OcckdError for none.
    """
    lines = []
    for recipe, name, table in experiments(where):
        kind = METRICS[metric or task_of(table["task"].iloc[0]).metric.name]
        found = table[table["metric"] == kind.name]
        found = found if rows is None else found[found["row"].isin(rows)]
        titles = dict(zip(table["row"], table["title"], strict=True))
        for line in found[found[f"vs_{against}"].notna()].to_dict("records"):
            gap = [kind.factor * line[f"vs_{against}{part}"] for part in ("", "_low", "_high")]
            value = [kind.factor * line[part] for part in ("mean", "low", "high")]
            lines.append({
                **placed(recipe, name, line, line["test_faces"]), "method": line["title"],
                "against": titles.get(line[against], line[against]), "metric": kind.name,
                "value": value[0], "low": value[1], "high": value[2], "difference": gap[0],
                "difference low": gap[1], "difference high": gap[2],
                "p (faces)": line[f"p_vs_{against}_faces"], "p": line[f"p_vs_{against}"],
                "p (Holm)": line[f"p_vs_{against}_holm"], "seeds": line["seeds"],
            })  # fmt: skip
    nothing = f"none of {', '.join(rows or ['any'])} against a {against}"
    family = f"all rows of a recipe, data set and task that have a {against}, in every metric"
    return section(pd.DataFrame(lines), nothing, family)


def reference_contrasts(
    pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]],
    where: Where = HALF_FACES,
    *,
    metric: str | None = None,
) -> Section:
    """What one row differs by from another, worked out from the published answers.

    pairs: ((row, view), (row, view)); the view ``visible`` is the experiment's. Paired; of
    the seeds that have both, seeds and faces random; p (Holm) over the rows here. Raises
    OcckdError for none.
    """
    lines = []
    for recipe, name, table in experiments(where):
        part = visible_part(table)
        kind = METRICS[metric or task_of(table["task"].iloc[0]).metric.name]
        titles = dict(zip(table["row"], table["title"], strict=True))
        asked = [tuple((r, part if v == VISIBLE else v) for r, v in pair) for pair in pairs]
        known = set(zip(table["row"], table["test_faces"], strict=True))
        asked = [pair for pair in asked if set(pair) <= known]
        if not asked:
            continue
        several = table.groupby("row")["test_faces"].nunique() > 1  # then a title needs its view
        answers = reference_answers(recipe, name, [side for pair in asked for side in pair])
        for pair in asked:
            ours, theirs = map(" on ".join, pair)
            both = {
                seed: said[["target", ours, theirs]] for seed, said in answers.items()
                if said[[ours, theirs]].notna().all(axis=None)
            }  # fmt: skip
            if not both:
                continue
            value, gap = (contrast(both, w, kind) for w in ({ours: 1}, {ours: 1, theirs: -1}))
            shown = [value.difference, value.low, value.high]
            this = table[["row", "test_faces", "metric"]].eq([*pair[0], kind.name]).all(axis=1)
            if this.any() and table.loc[this, "seeds"].iloc[0] == len(both):  # as it is published
                shown = list(kind.factor * table.loc[this, ["mean", "low", "high"]].iloc[0])
            views = {view for _, view in pair}
            words = [
                titles[row] + (f" on {view_title(view)}" if several[row] else "")
                for row, view in pair
            ]
            lines.append({
                **placed(recipe, name, table.iloc[0], views.pop() if len(views) == 1 else part),
                "method": words[0], "against": words[1], "metric": kind.name,
                "value": shown[0], "low": shown[1], "high": shown[2], "difference": gap.difference,
                "difference low": gap.low, "difference high": gap.high, "p": gap.p,
                "p (Holm)": float("nan"), "seeds": len(both),
            })  # fmt: skip
    return section(pd.DataFrame(lines), "no such pair of rows", "these comparisons")


def experiments(where: Where) -> Iterable[tuple[str, str, pd.DataFrame]]:
    """(recipe, experiment, its lines over all test faces) of what is on file."""
    missing, found = [], 0
    for recipe, name in where:
        try:
            table = reference(recipe)
        except OcckdError as error:
            missing.append(str(error))
            continue
        table = table[(table["experiment"] == name) & (table["subset"] == OFFICIAL)]
        if len(table):
            found += 1
            yield recipe, name, table
    if not found:
        raise OcckdError(missing[0] if missing else f"the reference has none of {list(where)}")


def visible_part(table: pd.DataFrame) -> str:
    """The view that an experiment's lines are about: the student's, or all of the face."""
    views = table.loc[table["row"] == "student", "test_faces"]
    return str(views.iloc[0]) if len(views) else "full"


def placed(recipe: str, name: str, line: Any, view: str) -> dict[str, str]:
    """The recipe, data set and visible part of a line, in words."""
    data, task = str(line["dataset"]), str(line["task"])
    words = f"{CALLED.get(data, data)}, {task}"
    return {"recipe": f"{recipe}/{name}", "data": words, VISIBLE: view_title(view)}


def reference_answers(recipe: str, name: str, sides: Iterable[tuple[str, str]]) -> Tables:
    """Seed -> target, and under "row on view" what each answered to the same test faces.

    sides: (row, view). A seed that lacks a side has no values there. Raises OcckdError where
    nothing was published.
    """
    place = f"{recipe}/predictions-{name}.parquet"
    path = on_file(place, f"occkd results {recipe} --reference")
    wanted = set(sides)
    part = {view for _, view in wanted}
    key = "row" if "row" in pq.read_schema(path).names else "method"  # as it was called once
    columns = ["seed", key, "test_faces", "id", "target", "prediction"]
    names = {row for row, _ in wanted}
    if key == "method":  # a student's name held its half
        names |= {f"student_{view}" for view in part}
    chosen = [(key, "in", sorted(names)), ("test_faces", "in", sorted(part))]
    table = pd.read_parquet(path, columns=columns, filters=chosen)
    row = table[key].replace({f"student_{view}": "student" for view in part})
    table["side"] = row + " on " + table["test_faces"]
    labels = list(dict.fromkeys(map(" on ".join, sorted(wanted))))
    tables = {}
    for seed, said in table[table["side"].isin(labels)].groupby("seed"):
        wide = said.pivot(index="id", columns="side", values="prediction").reindex(columns=labels)
        wide.insert(0, "target", said.groupby("id")["target"].first())
        tables[int(seed)] = wide
    return tables


def section(table: pd.DataFrame, nothing: str, family: str) -> Section:
    """The table in words; OcckdError with ``nothing`` for an empty one.

    A p (Holm) that is not there yet is adjusted over the table. family: over what, in words.
    """
    if table.empty:
        raise OcckdError(f"the reference has {nothing}")
    unknown = table["p (Holm)"].isna()
    table.loc[unknown, "p (Holm)"] = holm(table.loc[unknown, "p"].to_numpy())
    text = pd.DataFrame({
        **{column: table[column] for column in ("recipe", "data", VISIBLE, "method")},
        "value": [
            f"{METRICS[m].short} {with_interval(*row)}{METRICS[m].mark}"
            for m, *row in table[["metric", "value", "low", "high"]].itertuples(index=False)
        ],
        "against": table["against"],
        "difference": [
            f"{with_interval(*row, sign='+')} {METRICS[m].unit}" for m, *row in
            table[["metric", "difference", "difference low", "difference high"]]
            .itertuples(index=False)
        ],
        "p (Holm)": table["p (Holm)"].map(p_text), "seeds": table["seeds"],
    })  # fmt: skip
    return Section(
        "On real faces", sentence(table, family), table, text.set_index(["recipe", "method"])
    )


def sentence(table: pd.DataFrame, family: str) -> str:
    """How many rows are better, worse, or not told apart from what they stand against."""
    sign = table["metric"].map({name: metric.sign for name, metric in METRICS.items()})
    told = table["p (Holm)"] < LEVEL
    sides = {
        "better": told & (sign * table["difference"] > 0),
        "worse": told & (sign * table["difference"] < 0),
        "not told apart": ~told,
    }
    said = []
    for words, rows in sides.items():
        if rows.any():
            names = sorted(set(table.loc[rows, "recipe"]))
            said.append(f"{words} in {rows.sum()} ({', '.join(names)})")
    rule = f"p below {LEVEL} by Holm's rule over {family}"
    return f"Of {len(table)} comparisons: {'; '.join(said)} ({rule})."
