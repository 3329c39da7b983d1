"""Results: from the runs' predictions to values, intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from occkd_lib.config import Recipe, load_recipe
from occkd_lib.evaluation import METRICS, holm, interval, mcnemar_test, paired_bootstrap
from occkd_lib.report.evidence import METHODS, Evidence, gather

REPORTED = {  # task -> metric as the tables call it -> its function
    "expression": {"accuracy": "accuracy", "weighted_accuracy": "weighted_accuracy"},
    "gender": {"accuracy": "accuracy"},
    "age": {"mae_years": "mean_absolute_error"},
}
HEADINGS = {
    "accuracy": "accuracy, %",
    "weighted_accuracy": "weighted accuracy, %",
    "mae_years": "MAE, years",
}
OFFICIAL, WITHOUT_DUPLICATES = "official", "without train duplicates"


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """The recipe itself, or the one of that name or file."""
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def collect(recipe: Recipe | str | Path) -> pd.DataFrame:
    """Every single result: one row per (experiment, seed, method, view, metric, subset).

    Columns: experiment, seed, method, train_faces, test_faces, metric, subset, n, value,
    validation. Values are fractions (0..1), or years for mae_years. ``validation`` is the same
    metric on the validation split, NaN where a data set has none. Runs that are not finished are
    absent.
    """
    recipe = as_recipe(recipe)
    rows = []
    for name, experiment in recipe.experiments.items():
        everything = gather(recipe, name)
        validation = {(e.method, e.test_faces): e for e in everything if e.split == "val"}
        for evidence, subset, faces in tests(everything):
            val = validation.get((evidence.method, evidence.test_faces))  # AffectNet has none
            for metric, function in REPORTED[experiment.task].items():
                for seed, prediction in evidence.predictions.items():
                    score = METRICS[function]
                    rows.append(
                        {
                            **described(evidence, metric, subset, faces),
                            "seed": seed,
                            "value": score(evidence.target[faces], prediction[faces]),
                            "validation": (
                                score(val.target, val.predictions[seed]) if val else np.nan
                            ),
                        }
                    )
    columns = [
        "experiment", "seed", "method", "train_faces", "test_faces", "metric", "subset", "n",
        "value", "validation",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def tests(everything: list[Evidence]) -> Iterator[tuple[Evidence, str, np.ndarray]]:
    """(evidence, subset, N bool) for the test split: all faces, then without copies from train."""
    for evidence in everything:
        if evidence.split == "test":
            yield evidence, OFFICIAL, np.ones(len(evidence.target), dtype=bool)
            if evidence.duplicate.any():
                yield evidence, WITHOUT_DUPLICATES, ~evidence.duplicate


def described(evidence: Evidence, metric: str, subset: str, faces: np.ndarray) -> dict:
    return {
        "experiment": evidence.experiment,
        "method": evidence.method,
        "train_faces": evidence.train_faces,
        "test_faces": evidence.test_faces,
        "metric": metric,
        "subset": subset,
        "n": int(faces.sum()),
    }


def summary(recipe: Recipe | str | Path, *, tasks: tuple[str, ...] | None = None) -> pd.DataFrame:
    """One row per (experiment, method, view, metric, subset): all seeds together, with tests.

    Beside the columns of ``collect``: dataset, task, network, label_rule; seeds (how many), mean,
    sd (over seeds), values (each seed's), low, high (95 % interval over test faces: Wilson for one
    seed's accuracy, bootstrap otherwise). For both references, the undistilled student of the
    visible half and the control (for an SVM: the SVM on the control):

    vs_X, vs_X_low, vs_X_high: difference to X (mean over common seeds) and its paired bootstrap
    interval. p_vs_X: McNemar's exact p for one seed's accuracy, the paired bootstrap's otherwise.
    vs_X_by_seed: the difference of every common seed. p_vs_X_by_seed: McNemar's p of every seed
    (accuracy). p_vs_X_holm: p_vs_X adjusted over all
    rows of one data set, task and subset.

    tasks: only these experiments (None: all).
    """
    recipe = as_recipe(recipe)
    rows = []
    for name, experiment in recipe.experiments.items():
        if tasks is not None and experiment.task not in tasks:
            continue
        everything = gather(recipe, name)
        by_view = {(e.method, e.test_faces): e for e in everything if e.split == "test"}
        for evidence, subset, faces in tests(everything):
            view = evidence.test_faces
            distilled = evidence.method not in ("teacher", "student_lower", "student_upper")
            student = by_view.get((f"student_{experiment.visible}", view)) if distilled else None
            control = by_view.get((METHODS[evidence.method].control or "", view))
            for metric, function in REPORTED[experiment.task].items():
                predictions = [p[faces] for p in evidence.predictions.values()]
                target = evidence.target[faces]
                values = [METRICS[function](target, p) for p in predictions]
                within = interval(target, predictions, function)
                rows.append(
                    {
                        "dataset": experiment.data.name,
                        "task": experiment.task,
                        "network": experiment.network.name,
                        "label_rule": experiment.data.labels or "",
                        **described(evidence, metric, subset, faces),
                        "seeds": len(values),
                        "mean": within.value,
                        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
                        "low": within.low,
                        "high": within.high,
                        "values": values,
                        **comparison("student", evidence, student, function, faces),
                        **comparison("control", evidence, control, function, faces),
                    }
                )
    table = pd.DataFrame(rows)
    for reference in ("student", "control") if rows else ():
        raw = f"p_vs_{reference}"
        family = table.groupby(["dataset", "task", "subset"])[raw]
        table[f"{raw}_holm"] = family.transform(holm)
    return table


def comparison(
    name: str, ours: Evidence, reference: Evidence | None, metric: str, faces: np.ndarray
) -> dict:
    """The vs_<name> columns of ``summary``: NaN without a reference or a common seed."""
    keys = (f"vs_{name}", f"vs_{name}_low", f"vs_{name}_high", f"p_vs_{name}")
    common = sorted(ours.predictions.keys() & reference.predictions.keys()) if reference else []
    if reference is None or not common:
        empty: dict[str, list[float]] = {f"{key}_by_seed": [] for key in (keys[0], keys[3])}
        return {**dict.fromkeys(keys, math.nan), **empty}
    target = ours.target[faces]
    a = [ours.predictions[seed][faces] for seed in common]
    b = [reference.predictions[seed][faces] for seed in common]
    test = paired_bootstrap(target, a, b, metric)
    exact = []
    if metric == "accuracy":
        exact = [mcnemar_test(x == target, y == target).p for x, y in zip(a, b, strict=True)]
    p = exact[0] if len(exact) == 1 else test.p
    values = (test.difference, test.low, test.high, p)
    score = METRICS[metric]
    by_seed = [score(target, x) - score(target, y) for x, y in zip(a, b, strict=True)]
    lists = {f"vs_{name}_by_seed": by_seed, f"p_vs_{name}_by_seed": exact}
    return {**dict(zip(keys, values, strict=True)), **lists}


def with_interval(
    value: float, low: float, high: float, *, sd: float = math.nan, sign: str = ""
) -> str:
    """'80.17 ± 0.35 [78.74, 81.52]'; without ± for one seed."""
    spread = "" if math.isnan(sd) else f" ± {sd:.2f}"
    return f"{value:{sign}.2f}{spread} [{low:{sign}.2f}, {high:{sign}.2f}]"


def p_text(p: float) -> str:
    """Three decimals, as tests are usually printed; '<0.001' below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
