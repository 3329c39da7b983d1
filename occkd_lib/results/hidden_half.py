"""What the hidden part costs an experiment, and how much of it each method wins back.

The cost is what the teacher on whole faces is better by than the student on what is left of them;
``differences.won_back`` makes the shares. Here an experiment's own lines are chosen for it.
"""

from __future__ import annotations

import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.methods import Row
from occkd_lib.results import crossed_table
from occkd_lib.results.differences import differences, verdicts, won_back
from occkd_lib.results.store import Store, rows_on
from occkd_lib.stages import graph
from occkd_lib.tasks import task_of


def compared(experiment: Experiment) -> list[Row]:
    """Lines that have a student to be compared with: networks, and the machine on most of them."""
    rows = [row for row in rows_on(experiment, experiment.visible).values() if row.student]
    last = max(rows, key=lambda row: len(row.parts), default=None)
    return [row for row in rows if row is last or row.name == row.stage]


def teacher_of(experiment: Experiment) -> str:
    """The column of ``Store.table`` that has the answers to the same faces, not hidden; or ""."""
    rows = rows_on(experiment, experiment.visible)
    return next((label for label, row in rows.items() if row.view == "full"), "")


def needed(experiment: Experiment) -> list[str]:
    """The stages that a seed must have, in the experiment's order; none where nothing is hidden."""
    rows, lines = rows_on(experiment, experiment.visible), compared(experiment)
    if experiment.visible == "full" or not lines:
        return []
    labels = [teacher_of(experiment), *(r for row in lines for r in (row.student, row.control))]
    stages = {rows[label].stage for label in labels if label in rows}
    return [s for s in experiment.order() if s in stages | {row.stage for row in lines}]


def lacking(store: Store, name: str) -> str:
    """Why nothing can be said of an experiment, in one sentence; empty if something can."""
    experiment = store.recipe.experiment(name)
    if experiment.visible == "full":
        return f"{name}: nothing is hidden in it, so there is nothing to win back."
    if not compared(experiment):
        return f"{name}: none of its methods has a student to be compared with."
    if not teacher_of(experiment):
        return f"{name}: no network of it is tested on whole faces."
    stages = graph(experiment)
    if any(stages[str(row.student)].settings.label_share for row in compared(experiment)):
        return f"{name}: the student lacks labels, too: its distance to the teacher is no cost."
    if store.complete_seeds(name, needed(experiment)):
        return ""
    seed = next(iter(store.seeds(name)), experiment.seeds[0])
    missing = [s for s in needed(experiment) if store.run(name, seed, s) is None]
    how = store.recipe.command(name)
    return f"{name}, seed {seed}: not finished: {', '.join(missing)} ({how})."


def tables(store: Store, name: str) -> list[pd.DataFrame]:
    """What every finished line says of the same faces, a table for each seed that is complete."""
    seeds = store.complete_seeds(name, needed(store.recipe.experiment(name)))
    return [store.table(name, seed) for seed in seeds]


def shares(store: Store, name: str) -> pd.DataFrame:
    """``won_back`` of all lines of an experiment that ``lacking`` says nothing of."""
    experiment = store.recipe.experiment(name)
    rows, metric = compared(experiment), task_of(experiment.task).metric
    names, student = [row.name for row in rows], str(rows[0].student)
    return won_back(tables(store, name), names, student, metric, teacher=teacher_of(experiment))


def sentences(store: Store, name: str) -> str:
    """A sentence on what the hidden part costs, then one a line that has a control: what its
    teacher adds to equal training. Of several seeds, seeds and faces are both random."""
    experiment = store.recipe.experiment(name)
    rows, metric = compared(experiment), task_of(experiment.task).metric
    cost = [(teacher_of(experiment), str(rows[0].student))]
    added = [(row.name, row.control) for row in rows if row.control]
    answers = tables(store, name)
    said = []
    for pairs in filter(None, (cost, added)):
        if len(answers) > 1:
            found = crossed_table.differences(dict(enumerate(answers)), pairs, metric)
        else:
            found = differences(answers, pairs, metric)
        said.append(verdicts(found, metric))
    return "\n".join(said)
