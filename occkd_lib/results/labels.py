"""Few labels: what each stage reaches with the labels of a share of the faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm
from occkd_lib.results.crossed_table import answers_by_seed, differences, scores
from occkd_lib.results.store import Store
from occkd_lib.results.text import Section
from occkd_lib.stages import graph
from occkd_lib.tasks import task_of

SENTENCE = (
    "The student may use the labels of a share of the training faces, drawn within each class; a "
    "teacher speaks about all of them. Differences are to the control with as many labels; seeds "
    "and faces are random, and Holm's family is the whole table, in every metric of the task."
)
TEACHERS = ("teacher", "modest_teacher", "half_teacher")  # not compared with the control
OTHERS = "p, other metrics"
PLACES = {"low": "difference low", "high": "difference high"}


def shares(store: Store) -> dict[float, str]:
    """Share of the labels -> the experiment whose student knows so many, the smallest first."""
    found = {}
    for name, experiment in store.recipe.experiments.items():
        share = getattr(experiment.stages.get("student"), "label_share", None)
        if share is not None:
            found[share] = name
    if not found:
        raise OcckdError(f"recipe {store.recipe.name!r}: no student has a label_share")
    return dict(sorted(found.items()))


def by_share(store: Store, stages: Sequence[str], control: str = "control") -> pd.DataFrame:
    """A row a share and stage: what it reaches, and its difference to the control of that share.

    Columns: share (per cent), stage, title, the metric, low, high; difference, difference low,
    difference high, p, p (Holm), seeds, command (that runs its experiment again). Seeds and faces
    are random (``evaluation.crossed``); Holm's family is all differences of the table, in every
    metric of the task, though one is shown. Each stage is shown by the seeds that it and the
    control have. A stage that an experiment lacks, or none of whose seeds is finished, has no row
    there. OcckdError where no row is left.
    """
    parts = []
    for share, name in shares(store).items():
        chosen = graph(store.recipe.experiment(name))
        asked = [stage for stage in stages if stage in chosen]
        by_seeds: dict[tuple[int, ...], list[str]] = {}
        for stage in asked:
            seeds = tuple(store.complete_seeds(name, [stage, control]))
            by_seeds.setdefault(seeds, []).append(stage)
        rows = [_rows(store, name, group, control) for seeds, group in by_seeds.items() if seeds]
        if rows:
            found = pd.concat(rows)
            found = found.loc[[stage for stage in asked if stage in found.index]].reset_index()
            found.insert(0, "share", 100 * share)
            found["command"] = store.recipe.command(name)
            parts.append(found)
    if not parts:
        raise OcckdError(
            f"{store.recipe.name}: no seed of any share has {control} "
            f"and one of {', '.join(stages)}"
        )
    table = pd.concat(parts, ignore_index=True)
    family = table.pop(OTHERS).to_list()  # the p of the other metrics, a list a row
    adjusted = holm([*table["p"], *chain.from_iterable(family)])
    table.insert(table.columns.get_loc("p") + 1, "p (Holm)", adjusted[: len(table)].round(4))
    return table


def _rows(store: Store, name: str, stages: Sequence[str], control: str) -> pd.DataFrame:
    """The rows of stages that have the same seeds, by stage; all but share, p (Holm) and command,
    and OTHERS, the list of p in the task's other metrics."""
    chosen = graph(store.recipe.experiment(name))
    metric, *others = task_of(store.recipe.experiment(name).task).metrics
    views = {s: (s, chosen[s].view) for s in (*stages, control)}
    tables = answers_by_seed(store, name, views)
    pairs = [(s, control) for s in stages if s in chosen[control].settings.controls]
    found = differences(tables, pairs, metric).set_index("method")
    rows = (
        scores(tables, metric)
        .loc[list(stages)]
        .join(found[["difference", "low", "high", "p"]].rename(columns=lambda c: PLACES.get(c, c)))
    )
    titles = [chosen[s].settings.title or chosen[s].method.title for s in stages]
    rows.insert(0, "title", titles)
    more = [differences(tables, pairs, other).set_index("method")["p"] for other in others]
    rows[OTHERS] = [[p[s] for p in more if s in p] for s in stages]
    return rows.rename_axis("stage").drop(columns="n")


def sections(store: Store) -> Iterator[Section]:
    """The table over all shares, if the recipe has any and a seed of each is finished."""
    try:
        names = shares(store)
        stages = {s: None for name in names.values() for s in store.recipe.experiment(name).stages}
        table = by_share(store, [s for s in stages if s not in TEACHERS])
    except OcckdError:  # no such recipe, or nothing finished yet
        return
    metric = task_of(store.recipe.experiment(next(iter(names.values()))).task).metric
    text = table.map(lambda cell: "" if pd.isna(cell) else str(cell))
    yield Section("Few labels", SENTENCE, table, text, metric)
