"""The pictures of one experiment's finished runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Recipe
from occkd_lib.evaluation import mcnemar_test, per_class_recall
from occkd_lib.report import chapters, comparisons, figures, forests, tables
from occkd_lib.report.evidence import METHODS, Evidence, finished_runs, title
from occkd_lib.tasks import TASKS


def recipe_figures(
    recipe: Recipe, name: str, results: pd.DataFrame, everything: list[Evidence]
) -> Iterator[tuple[str, str, Figure]]:
    """(file name, caption, figure) of one experiment."""
    experiment = recipe.experiments[name]
    task, half = TASKS[experiment.task], experiment.visible
    test = {e.method: e for e in everything if e.split == "test" and e.test_faces == half}
    student = test.get(f"student_{half}")
    if student is not None:
        for metric in tables.REPORTED[task.name]:
            caption = (
                f"{tables.HEADINGS[metric]}, {half} half visible. Dashed: the undistilled student "
                "and the control (as much training, no teacher)."
            )
            yield f"{name}-{metric}", caption, forests.results_forest(results, metric=metric)

    runs = finished_runs(recipe, name)
    seed = min(seed for seed, _ in runs)
    trained = {stage: run for (k, stage), run in runs.items() if k == seed and stage != "fusion"}
    if trained:
        curves = {stage: run.history for stage, run in trained.items()}
        yield f"{name}-curves", f"Learning curves, seed {seed}.", figures.learning_curves(curves)

    compared = [m for m in (f"student_{half}", "control", "standard+triplet") if m in test]
    if not compared:
        return
    if not task.classes:
        yield from pictures_of_years(recipe, name, seed, compared)
        return
    pooled = {m: pooled_over_seeds(test[m]) for m in compared}
    counts = {int(c): int(n) for c, n in pd.Series(test[compared[0]].target).value_counts().items()}
    recalls = {METHODS[m].title: per_class_recall(*pair) for m, pair in pooled.items()}
    caption = "Recall per class, mean over seeds; test faces of the class in brackets."
    yield f"{name}-recall", caption, figures.recall_bars(recalls, task.classes, counts=counts)
    last = compared[-1]
    caption = f"{METHODS[last].title}: what is taken for what, all seeds together."
    yield f"{name}-confusion", caption, figures.confusion_matrix(*pooled[last], task.classes)
    distilled = [test[m] for m in ("standard", "triplet", "standard+triplet") if m in test]
    if student is not None and distilled:
        exact = {
            f"{METHODS[e.method].title}, seed {k}": mcnemar_test(
                e.predictions[k] == e.target, student.predictions[k] == e.target
            )
            for e in distilled
            for k in sorted(e.predictions.keys() & student.predictions.keys())
        }
        caption = "Faces on which a distilled student and its student disagree, McNemar's exact p."
        names = ("the distilled one", "the student")
        yield f"{name}-mcnemar", caption, figures.discordant_bars(exact, names=names)


def pictures_of_years(
    recipe: Recipe, name: str, seed: int, methods: list[str]
) -> Iterator[tuple[str, str, Figure]]:
    """What stands for recall and confusion matrix where there are no classes: errors by age."""
    found = comparisons.answers(recipe, name, seed)
    titles = {m: title(m, years=True) for m in methods if m in found}
    found = found.rename(columns=titles)
    caption = f"Mean absolute error by age, seed {seed}; test faces of that age in brackets."
    yield f"{name}-error", caption, chapters.by_group(found, list(titles.values()), ())
    last = list(titles.values())[-1]
    caption = f"Predicted against true age, seed {seed}."
    yield f"{name}-agreement", caption, chapters.agreement(found, last, ())


def pooled_over_seeds(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(target, prediction), all seeds one after the other."""
    predictions = list(evidence.predictions.values())
    return np.tile(evidence.target, len(predictions)), np.concatenate(predictions)
