"""The pictures of one experiment's finished runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib import plots
from occkd_lib.data import data_set
from occkd_lib.evaluation import counts_right, mcnemar_test
from occkd_lib.methods import Row
from occkd_lib.occlusion import view_title
from occkd_lib.results import Store, right, title_of
from occkd_lib.stages import rows_of
from occkd_lib.tasks import task_of

Drawn = tuple[str, str, Figure]  # end of the file's name, caption, figure


MOST_BARS = 24  # of one picture: more cannot be read


def pictures(store: Store, name: str, results: pd.DataFrame) -> Iterator[Drawn]:
    """All that is drawn of an experiment. results: its lines of ``results.summary``."""
    experiment = store.recipe.experiment(name)
    task, view, rows = task_of(experiment.task), experiment.visible, rows_of(experiment)
    tested = set(results.loc[results["test_faces"] == view, "row"])
    for metric in task.metrics if tested else ():
        caption = (
            f"{metric.heading}, {view_title(view)} visible. Dashed: networks that others are "
            "compared with, the undistilled student and the control (as much training, no teacher)."
        )
        yield metric.name, caption, plots.results_forest(results, rows, view, metric)
    yield from curves(store, name)
    here = {row.name: row for row in rows.values() if row.view == view and row.name in tested}
    if here:
        yield from by_face(store, name, here)


def curves(store: Store, name: str) -> Iterator[Drawn]:
    """How the networks of the first finished seed learnt (a restored run has no history)."""
    rows = rows_of(store.recipe.experiment(name))
    runs = {key: run for key, run in store.runs(name).items() if not run.restored}
    first = min((seed for seed, _ in runs), default=0)
    colors = {row.stage: row.color for row in rows.values() if row.name == row.stage}
    histories = {stage: runs[first, stage].history for stage in colors if (first, stage) in runs}
    if histories:
        metric = task_of(store.recipe.experiment(name).task).metric
        stages = store.recipe.experiment(name).stages
        starts = {stage: getattr(stages[stage], "start", None) for stage in histories}
        figure = plots.learning_curves(histories, metric, colors=colors, starts=starts)
        yield "curves", f"Learning curves, seed {first}.", figure


def by_face(store: Store, name: str, rows: Mapping[str, Row]) -> Iterator[Drawn]:
    """Who is right where: by class or band, what is taken for what, and against the student.

    rows: name -> row; all that is tested on the visible part.
    """
    experiment = store.recipe.experiment(name)
    task = task_of(experiment.task)
    classes = data_set(experiment.data.name).classes_of(experiment.data, experiment.task)
    titles = plots.told_apart({name: title_of(row, task) for name, row in rows.items()})
    references = [row for row in plots.references(rows.values()) if row in rows]
    compared = [r for r in rows.values() if r.student or r.control]
    distilled = [row for row in compared if not set(row.parts) <= set(references)]
    last = max(distilled, key=lambda row: len(row.parts), default=None)
    shown = [*references, last.name] if last else references or list(rows)

    seeds = store.complete_seeds(name, {rows[row].stage for row in shown})
    if seeds:
        tables = [store.table(name, seed).rename(columns=titles) for seed in seeds]
        over = f"mean over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
        colors = {titles[row]: rows[row].color for row in shown}
        what = f"Error by {task.name}" if task.continuous else "Recall per class"
        apart = colors if len({*colors.values()}) == len(colors) else None
        figure = plots.by_group(tables, list(colors), task, classes, colors=apart)
        yield "by-group", f"{what}, {over}; test faces of the group in brackets.", figure
        title = titles[shown[-1]]
        what = "predicted against true" if task.continuous else "what is taken for what"
        figure = plots.agreement(tables, title, task, classes)
        yield "agreement", f"{title}: {what}, all seeds together.", figure

    tests, pairs = {}, {}
    for row in distilled if counts_right(task.metric) else ():
        student = rows.get(row.student or "")
        if student and (row is last or row.name == row.stage):
            pairs[row.name] = row, student, store.complete_seeds(name, {row.stage, student.stage})
    many = sum(len(seeds) for *_, seeds in pairs.values()) > MOST_BARS
    for row, student, seeds in pairs.values():
        for seed in seeds[:1] if many else seeds:
            table = store.table(name, seed)
            both = right(table, row.name), right(table, student.name)
            tests[f"{titles[row.name]}, seed {seed}"] = mcnemar_test(*both)
    if tests:
        caption = "Faces on which a distilled student and its student disagree, McNemar's exact p"
        caption += "; the first seed of each." if many else "."
        figure = plots.discordant_bars(tests, names=("the distilled one", "the student"))
        yield "mcnemar", caption, figure
