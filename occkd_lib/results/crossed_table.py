"""Values and differences of stages with seeds and faces both random, ready to print and to draw.

``results.scores`` and ``results.differences`` ask what these networks would do with other faces;
here other trainings are asked for, too (``evaluation.crossed``). The tables have the same columns,
so ``results.verdicts`` and the plots read both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import OverSeeds, crossed, holm
from occkd_lib.results.store import Source, Store
from occkd_lib.results.text import intervals, p_text, with_interval
from occkd_lib.stages import stage_of
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of
from occkd_lib.training.predictions import NETWORK

Tables = Mapping[int, pd.DataFrame]  # seed -> target, and what each label says of the same faces


def answers_by_seed(
    store: Store,
    experiment: str,
    asked: Mapping[str, tuple[str, str]] | Sequence[str],
    *,
    data: str | None = None,
    split: str = "test",
    seeds: Sequence[int] | None = None,
) -> dict[int, pd.DataFrame]:
    """Seed -> target, and under each label what a stage or arm says of the faces.

    asked: label -> (stage, view), or stages on the view that they are trained on. data: another
    data set of ``test_on``. seeds: None for those that have all of them. No rows where there is no
    such split. Raises OcckdError where no seed has all, or one was not tested there.
    """
    chosen = store.recipe.experiment(experiment)
    if not isinstance(asked, Mapping):
        asked = {stage: (stage, stage_of(chosen, stage).view) for stage in asked}
    stages = list(dict.fromkeys(stage for stage, _ in asked.values()))
    seeds = store.complete_seeds(experiment, stages) if seeds is None else seeds
    if not seeds:
        where = f"{store.recipe.name}/{experiment}"
        raise OcckdError(f"{where}: no seed has all of {', '.join(stages)}: run them first")
    sources = {label: Source(stage, NETWORK, view) for label, (stage, view) in asked.items()}
    return {
        seed: store.columns(experiment, sources, seed, split=split, data=data) for seed in seeds
    }


def contrast(tables: Tables, weights: Mapping[str, float], metric: Metric | str) -> OverSeeds:
    """A weighted sum of values: ``{"a": 1}`` one, ``{"a": 1, "b": -1}`` a difference, and so on.

    In the unit of the tables (per cent and points, or years); ``evaluation.crossed``.
    """
    metric = metric_of(metric)
    target = next(iter(tables.values()))["target"].to_numpy()
    values = [
        sum(w * metric.per_face(target, t[name].to_numpy()) for name, w in weights.items())
        for t in tables.values()
    ]
    return crossed(metric.factor * np.stack(values), target if metric.by_class else None)


def scores(tables: Tables, metric: Metric | str, *, digits: int = 2) -> pd.DataFrame:
    """One row a label, as ``results.scores``: the metric, 95 % interval; faces n and seeds.

    Per cent end at 0 and 100, where the intervals are cut off.
    """
    metric = metric_of(metric)
    first = next(iter(tables.values()))
    rows = {}
    for name in first.columns.drop("target"):
        found = contrast(tables, {name: 1}, metric)
        found = found.within(0, 100 if metric.factor == 100 else math.inf)
        rows[name] = (found.difference, found.low, found.high)
    columns = [metric.heading, "low", "high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(digits)
    return table.assign(n=len(first), seeds=len(tables))


def differences(
    tables: Tables, pairs: Sequence[tuple[str, str]], metric: Metric | str
) -> pd.DataFrame:
    """Every (method, against) of ``pairs``, as ``results.differences``; one family for Holm's rule.

    Columns: method, against, difference with its 95 % interval low, high; p; p (Holm); seeds.
    """
    rows = []
    for method, against in pairs:
        found = contrast(tables, {method: 1, against: -1}, metric)
        rows.append((method, against, found.difference, found.low, found.high, found.p))
    columns = ["method", "against", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(**{"p (Holm)": holm(table["p"].to_numpy()), "seeds": len(tables)})
    return table.round({"difference": 2, "low": 2, "high": 2, "p": 4, "p (Holm)": 4})


def stage_lines(tables: Tables, controls: Mapping[str, str], metric: Metric | str) -> pd.DataFrame:
    """One row a label, as text: its value, and where it has a control the difference to that.

    controls: label -> label. Holm's family: these differences.
    """
    metric = metric_of(metric)
    values = scores(tables, metric)
    found = differences(tables, list(controls.items()), metric).set_index("method")
    text = pd.DataFrame({
        metric.heading: intervals(values.iloc[:, :3]),
        "against": found["against"].reindex(values.index),
        f"difference, {metric.unit}": pd.Series(
            intervals(found[["difference", "low", "high"]], sign="+"), found.index, dtype=object
        ).reindex(values.index),
        "p": found["p"].map(p_text).reindex(values.index),
        "p (Holm)": found["p (Holm)"].map(p_text).reindex(values.index),
        "seeds": values["seeds"].astype(str),
        "n": values["n"].astype(str),
    }, index=values.index)  # fmt: skip
    return text.fillna("")


def lost(home: Tables, away: Tables, metric: Metric | str) -> pd.DataFrame:
    """What each label loses from one data set's test faces to another's, by the same networks.

    Both collections of faces are random, and the trainings, which they share. Columns: home, away,
    difference (away minus home) with its 95 % interval low, high, p, p (Holm).
    """
    metric, rows = metric_of(metric), {}
    sides = [next(iter(tables.values()))["target"].to_numpy() for tables in (home, away)]
    groups = [t if metric.by_class else np.zeros(len(t), int) for t in sides]
    count = [len(np.unique(g)) for g in groups]
    apart = np.concatenate([groups[0], groups[1] + 1 + groups[0].max()])
    # crossed() takes the mean of all groups' means: weights make it one side minus the other
    weights = [sign * sum(count) / k for sign, k in zip((-1, 1), count, strict=True)]
    for name in next(iter(home.values())).columns.drop("target"):
        per_seed = [
            np.concatenate([
                w * metric.per_face(target, tables[seed][name].to_numpy())
                for w, target, tables in zip(weights, sides, (home, away), strict=True)
            ])
            for seed in home
        ]  # fmt: skip
        found = crossed(metric.factor * np.stack(per_seed), apart)
        here, there = (contrast(t, {name: 1}, metric).difference for t in (home, away))
        rows[name] = (here, there, found.difference, found.low, found.high, found.p)
    columns = ["home", "away", "difference", "low", "high", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)
    p = [float(row[-1]) for row in rows.values()]
    return table.assign(p=np.round(p, 4), **{"p (Holm)": holm(p).round(4)})


def said(found: OverSeeds, metric: Metric | str) -> str:
    """A contrast in words: ``+0.31 [-0.90, +1.52] points, p 0.612``."""
    text = with_interval(found.difference, found.low, found.high, sign="+")
    return f"{text} {metric_of(metric).unit}, p {p_text(found.p)}"
