"""Methods side by side, face by face: who is right where, and is the difference more than luck?

``tables.summary`` is about a whole recipe; here it is one experiment, as the chapters look at it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import (
    Bootstrap,
    Interval,
    holm,
    interval,
    mcnemar_test,
    paired_bootstrap,
)
from occkd_lib.evaluation.significance import per_face
from occkd_lib.report.evidence import finished_runs, gather
from occkd_lib.report.figures import PALETTE
from occkd_lib.report.forests import Dot, forest, wanted
from occkd_lib.report.tables import p_text, with_interval

HEADINGS = {
    "accuracy": "accuracy, %",
    "weighted_accuracy": "weighted accuracy, %",
    "mean_absolute_error": "mean absolute error, years",
}
LEVEL = 0.05
DRAWS = 4000


def unit(metric: str) -> tuple[float, str]:
    """Factor from fraction (or years) to what is printed, and the name of a difference in it."""
    return (1.0, "years") if metric == "mean_absolute_error" else (100.0, "points")


def finished_seeds(recipe: Recipe, experiment: str, stage: str = "fusion") -> list[int]:
    """Seeds for which ``stage`` is done (fusion: the last one, so all are)."""
    recipe.experiment(experiment)
    return sorted({seed for seed, done in finished_runs(recipe, experiment) if done == stage})


def answers(recipe: Recipe, experiment: str, seed: int, *, split: str = "test") -> pd.DataFrame:
    """What every finished method says of every half-visible face.

    Index: the faces' ids; columns: target, then one a method ("student_lower", "control" ...), and
    "teacher_on_full": the teacher on the same faces, not hidden.
    Raises OcckdError when nothing of that seed is finished.
    """
    half = recipe.experiment(experiment).visible
    columns: dict[str, np.ndarray] = {}
    for evidence in gather(recipe, experiment):
        name = evidence.method
        if name == "teacher" and evidence.test_faces == "full":
            name = "teacher_on_full"
        elif evidence.test_faces != half:
            continue
        if evidence.split == split and seed in evidence.predictions:
            columns.setdefault("target", evidence.target)
            columns[name] = evidence.predictions[seed]
            ids = evidence.ids
    if not columns:
        raise OcckdError(f"{recipe.name}/{experiment} has no finished run of seed {seed}")
    return pd.DataFrame(columns, index=pd.Index(ids, name="id"))


def right(table: pd.DataFrame, method: str, gap: float | None = None) -> np.ndarray:
    """N bool: the right class; or, with ``gap``, an age less than so many years off."""
    if gap is None:
        return (table[method] == table["target"]).to_numpy()
    return ((table[method] - table["target"]).abs() < gap).to_numpy()


def scores(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row a method of ``answers``: the metric (per cent or years), 95 % interval, faces."""
    factor, _ = unit(metric)
    rows = {}
    for method in table.columns.drop("target"):
        found = interval(table["target"].to_numpy(), table[method].to_numpy(), metric)
        value, low, high = factor * found.value, factor * found.low, factor * found.high
        rows[method] = {HEADINGS[metric]: value, "low": low, "high": high, "n": len(table)}
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


def differences(
    tables: pd.DataFrame | Sequence[pd.DataFrame], pairs: Sequence[tuple[str, str]], metric: str
) -> pd.DataFrame:
    """Every (method, against) of ``pairs`` on the same faces; one family for Holm's rule.

    tables: from ``answers``, of one seed, or of several, which are averaged first. Columns: method,
    against, difference (points or years) with its paired 95 % interval low, high; only method, only
    against: the discordant faces (summed over seeds; accuracy only); p: McNemar's exact one for one
    seed's accuracy, else the paired bootstrap's; p (Holm).
    """
    seeds = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    factor, _ = unit(metric)
    target = seeds[0]["target"].to_numpy()
    rows = []
    for method, against in pairs:
        ours, theirs = ([table[name].to_numpy() for table in seeds] for name in (method, against))
        found = paired_bootstrap(target, ours, theirs, metric)
        row = {
            "method": method,
            "against": against,
            "difference": factor * found.difference,
            "low": factor * found.low,
            "high": factor * found.high,
        }
        p = found.p
        if metric == "accuracy":
            tests = [mcnemar_test(right(t, method), right(t, against)) for t in seeds]
            row["only method"] = sum(test.only_a for test in tests)
            row["only against"] = sum(test.only_b for test in tests)
            p = tests[0].p if len(tests) == 1 else p
        rows.append({**row, "p": p})
    table = pd.DataFrame(rows)
    table["p (Holm)"] = holm(table["p"].to_numpy())
    return table.round({"difference": 2, "low": 2, "high": 2, "p": 4, "p (Holm)": 4})


def won_back(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    methods: Sequence[str],
    student: str,
    metric: str,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """How much of what the hidden half costs each method wins back.

    The cost is the teacher on full faces minus the undistilled student on half of them (averaged
    over seeds), the share that is won back is (method - student) / cost. Columns: gain (points or
    years, positive is better), share (per cent), low, high (its 95 % interval from a bootstrap of
    all three on the same draws of faces; NaN where a draw in forty or more shows no cost at all).
    """
    seeds = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    target = seeds[0]["target"].to_numpy()
    factor, _ = unit(metric)
    sign = -1 if metric == "mean_absolute_error" else 1
    names = ["teacher_on_full", student, *methods]
    per_method = [per_face(target, [t[n].to_numpy() for t in seeds], metric) for n in names]
    values = sign * factor * np.stack(per_method, axis=1)
    rng = np.random.default_rng(seed)
    n = len(values)
    odds = np.full(n, 1 / n)
    drawn = [rng.multinomial(n, odds, size=100) @ values / n for _ in range(DRAWS // 100)]
    means = np.vstack([values.mean(0), *drawn])  # row 0: all faces, once
    cost, gains = means[:, :1] - means[:, 1:2], means[:, 2:] - means[:, 1:2]
    known = (cost[1:] > 0).mean() > 1 - LEVEL / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = 100 * gains / cost
    low, high = np.nanpercentile(shares[1:], (2.5, 97.5), axis=0) if known else (np.nan, np.nan)
    table = {"gain": gains[0], "share": shares[0] if known else np.nan, "low": low, "high": high}
    return pd.DataFrame(table, index=pd.Index(methods, name="method"))


def spoken(found: Interval | Bootstrap, metric: str) -> str:
    """A value or a difference in words: '80.17 [78.74, 81.52] %', '+0.31 [-0.9, 1.5] points'."""
    factor, name = unit(metric)
    low, high = factor * found.low, factor * found.high
    if isinstance(found, Bootstrap):
        return f"{with_interval(factor * found.difference, low, high, sign='+')} {name}"
    return f"{with_interval(factor * found.value, low, high)} {'%' if factor > 1 else name}"


def is_better(table: pd.DataFrame, metric: str) -> pd.Series:
    """Row by row of ``differences``: is the method ahead, significant or not?"""
    lower = metric == "mean_absolute_error"
    return table["difference"] < 0 if lower else table["difference"] > 0


def verdicts(table: pd.DataFrame, metric: str, *, p: str = "p (Holm)") -> str:
    """One sentence a row of ``differences``; significant at 5 % by column ``p``."""
    _, name = unit(metric)
    lines = []
    for row, better in zip(table.to_dict("records"), is_better(table, metric), strict=True):
        said = f"{'better' if better else 'worse'} than {row['against']}"
        if row[p] >= LEVEL:
            said = f"not told apart from {row['against']} by these faces"
        found = with_interval(row["difference"], row["low"], row["high"], sign="+")
        lines.append(f"{row['method']}: {said} ({found} {name}, {p} {p_text(row[p])})")
    return "\n".join(lines)


def difference_forest(table: pd.DataFrame, metric: str, *, title: str = "") -> Figure:
    """Rows of ``differences`` as dots with intervals around zero."""
    _, name = unit(metric)
    columns = ["method", "against", "difference", "low", "high", "p (Holm)"]
    dots = [
        Dot(f"{method}  −  {against}", value, low, high, PALETTE[0] if p < LEVEL else "0.5")
        for method, against, value, low, high, p in table[columns].to_numpy()
    ]
    label = f"difference, {name} ({wanted(name)}; blue: p (Holm) < {LEVEL})"
    return forest(dots, label, title=title)
