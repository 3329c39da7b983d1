"""Numbers in words, and a part of the results page."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from occkd_lib.evaluation import Bootstrap, Interval
from occkd_lib.methods import Row
from occkd_lib.tasks import Metric, Task


class Section(NamedTuple):
    """A further part of the page: what it says in words, in numbers, and as text.

    table: the numbers, which its figure is drawn from. text: the same, ready to print. metric:
    what they are in, if they are of one. heading: of the figure.
    """

    title: str
    sentence: str
    table: pd.DataFrame
    text: pd.DataFrame
    metric: Metric | None = None
    heading: str = ""


def title_of(row: Row, task: Task) -> str:
    """What the tables call a row; a linear machine that predicts years is an SVR."""
    return row.title.replace("{machine}", task.machine)


def with_interval(
    value: float, low: float, high: float, *, sd: float = math.nan, sign: str = ""
) -> str:
    """'80.17 ± 0.35 [78.74, 81.52]'; without ± for one seed."""
    spread = "" if math.isnan(sd) else f" ± {sd:.2f}"
    return f"{value:{sign}.2f}{spread} [{low:{sign}.2f}, {high:{sign}.2f}]"


def intervals(values: pd.DataFrame, *, sign: str = "") -> list[str]:
    """``with_interval`` of each row (value, low, high); "" where there is none."""
    rows = values.to_numpy(float)
    return ["" if np.isnan(row).any() else with_interval(*row, sign=sign) for row in rows]


def printed(found: Interval | Bootstrap, metric: Metric) -> tuple[float, float, float]:
    """Value (or difference), low and high in the unit of the tables."""
    value = found.difference if isinstance(found, Bootstrap) else found.value
    return metric.factor * value, metric.factor * found.low, metric.factor * found.high


BETTER = "better than", "worse than", "not told apart from"


def told(sure: bool, ahead: bool, words: tuple[str, str, str] = BETTER) -> str:
    """The word for what a comparison came to. ahead: which side, where it is ``sure``."""
    more, less, same = words
    return (more if ahead else less) if sure else same


def p_text(p: float) -> str:
    """Three decimals, as tests are usually printed; '<0.001' below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
