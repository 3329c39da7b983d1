"""How often a test over faces alone is wrong: one method against itself, trained twice.

Two trainings of one method differ in their random numbers alone. Whoever takes the networks as
given, as McNemar's test does, compares two *networks*, and those do differ; that the *methods* do
is a false alarm, every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from occkd_lib.evaluation import compare_over_faces, counts_right, mcnemar_test
from occkd_lib.results.differences import LEVEL
from occkd_lib.results.store import Store
from occkd_lib.results.text import Section
from occkd_lib.tasks import task_of

HEADING = "False alarms"
SENTENCE = (
    "Each row against itself, trained with another seed: a pair of seeds, the same test faces. "
    "There is no difference between a method and itself, so a test at 5 % should find a "
    "difference in five of a hundred pairs. Over faces alone (McNemar's test; for years a t test) "
    "it finds one as often as stands here: that networks differ may be true, that methods do is "
    "not."
)


def false_alarms(store: Store, experiment: str) -> pd.DataFrame:
    """A row a network with two finished seeds or more, on the view it was trained on: experiment,
    row, pairs of seeds, alarms (p below 5 % over faces alone), and their share (per cent)."""
    metric, rows = task_of(store.recipe.experiment(experiment).task).metric, []
    for answers in store.answers(experiment):
        if answers.row.view != answers.row.trained_on[-1]:
            continue
        target, p = answers.target, []
        for ours, theirs in combinations(answers.predictions.values(), 2):
            if counts_right(metric):
                p.append(mcnemar_test(ours == target, theirs == target).p)
            else:
                p.append(compare_over_faces(target, ours, theirs, metric).p)
        if p:
            alarms = sum(value < LEVEL for value in p)
            share = round(100 * alarms / len(p), 1)
            rows.append((experiment, answers.row.name, len(p), alarms, share))
    return pd.DataFrame(rows, columns=["experiment", "row", "pairs", "alarms", "alarms, %"])


def sections(store: Store) -> Iterator[Section]:
    """One table, if any stage has been trained twice."""
    parts = [false_alarms(store, name) for name in store.recipe.experiments]
    table = pd.concat([part for part in parts if len(part)] or parts[:1])
    if len(table):
        yield Section(HEADING, SENTENCE, table, table.astype(str))
