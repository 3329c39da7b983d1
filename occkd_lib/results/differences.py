"""Rows side by side, face by face: who is right where, and is the difference more than luck?

``summary`` is about a whole recipe; here it is one table of target and predictions, as ``Store``
gives it (``table``, ``columns``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from occkd_lib.evaluation import (
    Bootstrap,
    Interval,
    counts_right,
    holm,
    interval,
    mcnemar_test,
    paired_bootstrap,
)
from occkd_lib.evaluation.crossed import LEVEL
from occkd_lib.evaluation.significance import per_face
from occkd_lib.results.text import p_text, printed, with_interval
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

DRAWS = 4000


def right(table: pd.DataFrame, name: str, gap: float | None = None) -> np.ndarray:
    """N bool: the right class; or, with ``gap``, a number less than so much off."""
    off = (table[name] - table["target"]).abs()
    return (off == 0 if gap is None else off < gap).to_numpy()


def scores(table: pd.DataFrame, metric: Metric | str) -> pd.DataFrame:
    """One row a column of ``table``: the metric (per cent or years), 95 % interval, faces."""
    metric, values = metric_of(metric), {name: said.to_numpy() for name, said in table.items()}
    target = values.pop("target")
    rows = {name: printed(interval(target, said, metric), metric) for name, said in values.items()}
    columns = [metric.heading, "low", "high"]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return found.assign(n=len(table)).round(2)


def differences(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    pairs: Sequence[tuple[str, str]],
    metric: Metric | str,
) -> pd.DataFrame:
    """Every (method, against) of ``pairs`` on the same faces; one family for Holm's rule.

    tables: of one seed, or of several, which are averaged first. Columns: method, against,
    difference (points or years) with its paired 95 % interval low, high; only method, only
    against: the discordant faces (summed over seeds; accuracy only); p: McNemar's exact one for one
    seed's accuracy, else the paired bootstrap's; p (Holm).
    """
    metric, seeds = metric_of(metric), by_seed(tables)
    target = seeds[0]["target"].to_numpy()
    rows = []
    for method, against in pairs:
        ours, theirs = ([table[name].to_numpy() for table in seeds] for name in (method, against))
        found = paired_bootstrap(target, ours, theirs, metric)
        difference, low, high = printed(found, metric)
        row = {"method": method, "against": against, "difference": difference}
        row |= {"low": low, "high": high}
        p = found.p
        if counts_right(metric):
            tests = [mcnemar_test(right(t, method), right(t, against)) for t in seeds]
            row["only method"] = sum(test.only_a for test in tests)
            row["only against"] = sum(test.only_b for test in tests)
            p = tests[0].p if len(tests) == 1 else p
        rows.append({**row, "p": p})
    table = pd.DataFrame(rows)
    table["p (Holm)"] = holm(table["p"].to_numpy())
    return table.round({"difference": 2, "low": 2, "high": 2, "p": 4, "p (Holm)": 4})


def by_seed(tables: pd.DataFrame | Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """One table a seed, from one table or several."""
    return [tables] if isinstance(tables, pd.DataFrame) else list(tables)


def won_back(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    methods: Sequence[str],
    student: str,
    metric: Metric | str,
    *,
    teacher: str = "teacher on full",
) -> pd.DataFrame:
    """How much of what hiding costs each method wins back.

    The cost is the teacher on full faces minus the undistilled student on what is left of them
    (averaged over seeds), the share that is won back is (method - student) / cost. Columns: gain
    (points or years, positive is better), share (per cent), low, high (its 95 % interval from a
    bootstrap of all three on the same draws of faces; NaN where a draw in forty or more shows no
    cost at all).
    """
    metric, seeds = metric_of(metric), by_seed(tables)
    target = seeds[0]["target"].to_numpy()
    names = [teacher, student, *methods]
    per_method = [per_face(target, [t[n].to_numpy() for t in seeds], metric) for n in names]
    values = metric.sign * metric.factor * np.stack(per_method, axis=1)
    rng, n = np.random.default_rng(0), len(values)
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


def spoken(found: Interval | Bootstrap, metric: Metric | str) -> str:
    """A value or a difference in words: '80.17 [78.74, 81.52] %', '+0.31 [-0.9, 1.5] points'."""
    metric = metric_of(metric)
    if isinstance(found, Bootstrap):
        return f"{with_interval(*printed(found, metric), sign='+')} {metric.unit}"
    return f"{with_interval(*printed(found, metric))}{metric.mark}"


def is_better(table: pd.DataFrame, metric: Metric | str) -> pd.Series:
    """Row by row of ``differences``: is the method ahead, significant or not?"""
    return metric_of(metric).sign * table["difference"] > 0


def preferred(validation: pd.Series, metric: Metric | str) -> str:
    """The rows that are best on validation, in words: ``a``, or ``a and b alike`` for a tie."""
    value = metric_of(metric).sign * validation
    *others, last = map(str, validation.index[value == value.max()])
    return f"{', '.join(others)} and {last} alike" if others else last


def verdicts(table: pd.DataFrame, metric: Metric | str) -> str:
    """One sentence a row of ``differences``; significant at 5 % by Holm's rule."""
    lines, unit = [], metric_of(metric).unit
    for row, better in zip(table.to_dict("records"), is_better(table, metric), strict=True):
        said = f"{'better' if better else 'worse'} than {row['against']}"
        p = row["p (Holm)"]
        if p >= LEVEL:
            among = "faces and seeds" if row.get("seeds", 1) > 1 else "faces"
            said = f"not told apart from {row['against']} by these {among}"
        found = with_interval(row["difference"], row["low"], row["high"], sign="+")
        lines.append(f"{row['method']}: {said} ({found} {unit}, p (Holm) {p_text(p)})")
    return "\n".join(lines)
