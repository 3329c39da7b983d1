"""From the runs' predictions to values, intervals and tests: every line of every table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from occkd_lib.evaluation import (
    Interval,
    compare_over_faces,
    compare_over_seeds,
    counts_right,
    holm,
    interval,
    mcnemar_test,
    score_over_seeds,
)
from occkd_lib.results.store import Answers, Store, data_name
from occkd_lib.results.text import title_of
from occkd_lib.stages import graph
from occkd_lib.tasks import Metric, task_of

OFFICIAL, WITHOUT_COPIES = "official", "without copies of train"
REFERENCES = ("student", "control")
FAMILY = ["dataset", "task", "subset"]
HOLM = (
    "Holm's adjustment is over one family a reference (the student, the control): all rows of one "
    "data set, task and subset that are compared with it, whatever their network or metric. An "
    "SVM (or SVR) has for its control the SVM on its networks' control; that SVM has the control "
    "itself."
)


def collect(store: Store) -> pd.DataFrame:
    """Every single result: one line per (experiment, seed, row, view, metric, subset).

    Columns: experiment, seed, row, train_faces, test_faces, metric, subset, n, value, validation.
    Values are fractions (0..1), or years. ``validation`` is the same metric on the validation
    split, NaN where a data set has none, and for runs restored from published results. Runs that
    are not finished are absent.
    """
    lines = []
    for name, experiment in store.recipe.experiments.items():
        validation = {(a.row.name, a.row.view): a for a in store.answers(name, split="val")}
        for answers, subset, faces in tested(store, name):
            val = validation.get((answers.row.name, answers.row.view))  # AffectNet has none
            for metric in task_of(experiment.task).metrics:
                line = described(answers, metric, subset, faces)
                for seed, prediction in answers.predictions.items():
                    value = metric(answers.target[faces], prediction[faces])
                    held_out = np.nan
                    if val and seed in val.predictions:
                        held_out = metric(val.target, val.predictions[seed])
                    lines.append({**line, "seed": seed, "value": value, "validation": held_out})
    columns = [
        "experiment", "seed", "row", "train_faces", "test_faces", "metric", "subset", "n",
        "value", "validation",
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=columns)


def tested(store: Store, name: str) -> Iterator[tuple[Answers, str, np.ndarray]]:
    """(answers, subset, N bool): all test faces, those that are not in train in any form, and the
    test faces of every other data set that the experiment is tested on."""
    for answers in store.answers(name):
        yield answers, OFFICIAL, np.ones(len(answers.target), dtype=bool)
        if answers.copies.any():
            yield answers, WITHOUT_COPIES, ~answers.copies
    for other in map(data_name, store.recipe.experiment(name).test_on):
        for answers in store.answers(name, data=other):
            yield answers, f"on {other}", np.ones(len(answers.target), dtype=bool)


def described(answers: Answers, metric: Metric, subset: str, faces: np.ndarray) -> dict:
    """What every line says of where its value comes from."""
    return {
        "experiment": answers.experiment,
        **answers.place,
        "metric": metric.name,
        "subset": subset,
        "n": int(faces.sum()),
    }


def summary(store: Store, tasks: Collection[str] | None = None) -> pd.DataFrame:
    """One line per (experiment, row, view, metric, subset): all seeds together, with tests.

    Beside the columns of ``collect``: dataset, task, network (the row's), label_rule, title;
    student, control (names of the rows that it is compared with, or ""); seeds (how many), mean,
    sd (over seeds), values (each seed's), low, high (95 % interval over seeds and test faces; for
    one seed over faces, Wilson's for accuracy). For both references X, "student" and "control":

    vs_X, vs_X_low, vs_X_high: difference to X (mean over common seeds) and its 95 % interval, seeds
    and faces both random (``evaluation.crossed``). p_vs_X: its p; for one seed's accuracy
    McNemar's exact one. vs_X_by_seed: the difference of every common seed. p_vs_X_by_seed:
    McNemar's p of every seed (accuracy). p_vs_X_holm: p_vs_X adjusted over its family, see HOLM.
    Secondary: p_vs_X_faces, of these networks, with only the faces random. seeds_vs_X: how many
    seeds would show the difference that was seen (``OverSeeds.seeds_needed``). And command: what
    runs the row's experiment again.

    tasks: only the experiments of these (None: all).
    """
    lines = []
    for name, experiment in store.recipe.experiments.items():
        if tasks is not None and experiment.task not in tasks:
            continue
        networks = {stage.name: stage.network.name for stage in graph(experiment).values()}
        found = list(tested(store, name))
        others = {(a.row.name, a.row.view, subset): a for a, subset, _ in found}
        for answers, subset, faces in found:
            row = answers.row
            for metric in task_of(experiment.task).metrics:
                target = answers.target[faces]
                predictions = [said[faces] for said in answers.predictions.values()]
                values = [metric(target, said) for said in predictions]
                within = with_its_interval(target, predictions, metric)
                lines.append(
                    {
                        "dataset": data_name(experiment.data),
                        "task": experiment.task,
                        "network": "+".join(dict.fromkeys(networks[part] for part in row.parts)),
                        "label_rule": getattr(experiment.data, "labels", None) or "",
                        "title": title_of(row, task_of(experiment.task)),
                        "student": row.student or "",
                        "control": row.control or "",
                        **described(answers, metric, subset, faces),
                        "seeds": len(values),
                        "mean": within.value,
                        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
                        "low": within.low,
                        "high": within.high,
                        "values": values,
                    }
                )
                for reference in REFERENCES:
                    theirs = others.get((getattr(row, reference) or "", row.view, subset))
                    lines[-1] |= comparison(reference, answers, theirs, metric, faces)
    table = pd.DataFrame(lines)
    if lines:
        table["command"] = table["experiment"].map(store.recipe.command)
    for p in [f"p_vs_{reference}" for reference in REFERENCES] if lines else ():
        table[f"{p}_holm"] = table.groupby(FAMILY)[p].transform(holm)
    return table


def comparison(
    name: str, ours: Answers, reference: Answers | None, metric: Metric, faces: np.ndarray
) -> dict:
    """The vs_<name> columns of ``summary``: NaN without a reference or a common seed."""
    seeds = sorted(ours.predictions.keys() & reference.predictions.keys()) if reference else []
    a, b = ([of.predictions[seed][faces] for seed in seeds] for of in (ours, reference or ours))
    target, pairs = ours.target[faces], list(zip(a, b, strict=True))
    exact = [mcnemar_test(x == target, y == target).p for x, y in pairs if counts_right(metric)]
    difference = low = high = p = over_faces = needed = math.nan
    if pairs and len(target) > 1:
        sides = np.stack(a), np.stack(b)
        found = compare_over_seeds(target, *sides, metric)
        difference, low, high, p = found.difference, found.low, found.high, found.p
        needed = found.seeds_needed()
        over_faces = compare_over_faces(target, *sides, metric).p
        if len(exact) == 1:
            p = over_faces = exact[0]
    return {
        f"vs_{name}": difference,
        f"vs_{name}_low": low,
        f"vs_{name}_high": high,
        f"p_vs_{name}": p,
        f"p_vs_{name}_faces": over_faces,
        f"seeds_vs_{name}": needed,
        f"vs_{name}_by_seed": [metric(target, x) - metric(target, y) for x, y in pairs],
        f"p_vs_{name}_by_seed": exact,
    }


def with_its_interval(
    target: np.ndarray, predictions: list[np.ndarray], metric: Metric
) -> Interval:
    """The mean over seeds: of one seed with the interval over faces, else over both."""
    if len(predictions) == 1 or len(target) < 2:
        return interval(target, predictions, metric)
    found = score_over_seeds(target, np.stack(predictions), metric)
    found = found.within(0, 1 if metric.factor == 100 else math.inf)
    return Interval(found.difference, found.low, found.high)
