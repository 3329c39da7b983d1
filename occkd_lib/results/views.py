"""Trained on one view, tested on another: what each network reaches on every view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import hidden_share, parts_of
from occkd_lib.results.crossed_table import Tables, answers_by_seed, scores
from occkd_lib.results.store import Store
from occkd_lib.results.text import Section
from occkd_lib.stages import graph, rows_of
from occkd_lib.tasks import task_of

SENTENCE = (
    "A row is what a network was trained on, a column what it is tested on; intervals over seeds "
    "and faces. Nobody was trained or chosen on another view than its own."
)
SHARES = {"full": (("top", 0), ("bottom", 0)), "lower": (("top", 50),), "upper": (("bottom", 50),)}


def on(stage: str, view: str) -> str:
    """What ``answers`` calls a stage on a view."""
    return f"{stage} on {view}"


def common_views(experiment: Experiment, stages: Sequence[str]) -> tuple[str, ...]:
    """The views that all of ``stages`` are tested on, in the first one's order."""
    tested = [graph(experiment)[stage].tested_on for stage in stages]
    return tuple(view for view in tested[0] if all(view in other for other in tested))


def answers(
    store: Store, name: str, stages: Sequence[str], views: Sequence[str], **how: object
) -> Tables:
    """Seed -> target, and under ``on(stage, view)`` what each says; ``answers_by_seed``."""
    asked = {on(stage, view): (stage, view) for stage in stages for view in views}
    return answers_by_seed(store, name, asked, **how)  # type: ignore[arg-type]


def by_view(store: Store, name: str, stages: Sequence[str], views: Sequence[str]) -> pd.DataFrame:
    """A row a stage and view, all test faces, the seeds that have all of ``stages``.

    Columns: stage, title, trained on, tested on, the metric with its 95 % interval low, high
    (``evaluation.crossed``), n, seeds; own: was it trained on that view, or on a mixture with it?
    OcckdError where no seed is finished, or a stage was not tested on a view.
    """
    experiment = store.recipe.experiment(name)
    chosen, metric, rows = graph(experiment), task_of(experiment.task).metric, rows_of(experiment)
    found = scores(answers(store, name, stages, views), metric, digits=4)  # rounded when drawn
    pairs = [(stage, view) for stage in stages for view in views]
    places = {
        "stage": [stage for stage, _ in pairs],
        "title": [rows[stage, chosen[stage].view].title for stage, _ in pairs],
        "trained on": [chosen[stage].view for stage, _ in pairs],
        "tested on": [view for _, view in pairs],
    }
    table = pd.DataFrame(places).join(found.reset_index(drop=True))
    return table.assign(own=[v in parts_of(chosen[s].view) for s, v in pairs])


def shares_hidden(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``by_view`` whose view is black from above or below, by how much.

    Two columns more: side ("top", "bottom"), hidden (per cent). The full face is on both sides.
    """
    parts = []
    for view in dict.fromkeys(table["tested on"]):
        one = hidden_share(view)
        for side, share in SHARES.get(view, (one,) if one else ()):
            parts.append(table[table["tested on"] == view].assign(side=side, hidden=share))
    if not parts:
        return table.head(0).assign(side="", hidden=np.nan)
    return pd.concat(parts).sort_values("hidden", kind="stable").reset_index(drop=True)


def shapes(views: Iterable[str]) -> list[str]:
    """Those of ``views`` that are not points of a curve (top_25), each once."""
    return [view for view in dict.fromkeys(views) if hidden_share(view) is None]


def sections(store: Store) -> Iterator[Section]:
    """Of every experiment with ``test_views`` and a finished seed, trained against tested on."""
    for name, experiment in store.recipe.experiments.items():
        stages = [s.name for s in graph(experiment).values() if s.method.makes_network]
        if not experiment.test_views:
            continue
        try:
            table = by_view(store, name, stages, common_views(experiment, stages))
        except OcckdError:  # nothing finished yet
            continue
        metric = task_of(experiment.task).metric
        heading = f"{name}: trained against tested on"
        text = table.map(str)  # as chapter 18 reads it again
        yield Section(f"Other views {name}", SENTENCE, table, text, metric, heading)
