"""Results tables: from the runs' predictions to rows beside the published values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from occkd_lib.config import Recipe, load_recipe
from occkd_lib.evaluation import METRICS, holm, interval, mcnemar_test, paired_bootstrap
from occkd_lib.report.evidence import METHODS, Evidence, gather
from occkd_lib.report.published import DATASETS, NETWORKS, published, published_row

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
TASKS_OF_TABLE = {1: ("expression",), 2: ("gender",), 3: ("age",), 4: ("expression", "gender")}
ONLY_IN_TABLE_4 = {"standard_svm", "triplet_svm"}
TABLE_4 = {
    "standard", "triplet", "control_svm", "standard_svm", "triplet_svm", "standard+triplet",
}  # fmt: skip
BUILT_IN = "built-in faces: not comparable with the papers"
NOT_PUBLISHED = "not in the paper"


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """The recipe itself, or the one of that name or file."""
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def collect(recipe: Recipe | str | Path) -> pd.DataFrame:
    """Every single result: one row per (experiment, seed, method, view, metric, subset).

    Columns: experiment, seed, method, train_faces, test_faces, metric, subset, n, value,
    validation. Values are fractions (0..1), or years for mae_years. ``validation`` is the same
    metric on the validation split. Runs that are not finished are absent.
    """
    recipe = as_recipe(recipe)
    rows = []
    for name, experiment in recipe.experiments.items():
        everything = gather(recipe, name)
        validation = {(e.method, e.test_faces): e for e in everything if e.split == "val"}
        for evidence, subset, faces in tests(everything):
            val = validation[evidence.method, evidence.test_faces]
            for metric, function in REPORTED[experiment.task].items():
                for seed, prediction in evidence.predictions.items():
                    score = METRICS[function]
                    rows.append(
                        {
                            **described(evidence, metric, subset, faces),
                            "seed": seed,
                            "value": score(evidence.target[faces], prediction[faces]),
                            "validation": score(val.target, val.predictions[seed]),
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
    p_vs_X_by_seed: McNemar's p of every seed (accuracy). p_vs_X_holm: p_vs_X adjusted over all
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
        return {**dict.fromkeys(keys, math.nan), f"p_vs_{name}_by_seed": []}
    target = ours.target[faces]
    a = [ours.predictions[seed][faces] for seed in common]
    b = [reference.predictions[seed][faces] for seed in common]
    test = paired_bootstrap(target, a, b, metric)
    exact = []
    if metric == "accuracy":
        exact = [mcnemar_test(x == target, y == target).p for x, y in zip(a, b, strict=True)]
    p = exact[0] if len(exact) == 1 else test.p
    values = (test.difference, test.low, test.high, p)
    return {**dict(zip(keys, values, strict=True)), f"p_vs_{name}_by_seed": exact}


def side_by_side(
    recipe: Recipe | str | Path, table: int | str, *, results: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows of the journal's Table 1, 2, 3 or 4 for which there is a run, beside its values.

    Text, ready to print: accuracies and their differences in per cent and points, MAE in years.
    A dagger marks what the paper calls significant. The published networks stand there for
    orientation unless ours is the same one; then "ours - published" is filled too. Rows that the
    paper does not have (the controls) say so. results: from ``summary``, to save computing it.
    """
    recipe, number = as_recipe(recipe), int(table)
    if number not in TASKS_OF_TABLE:
        raise ValueError(f"no Table {table} to stand beside; one of {list(TASKS_OF_TABLE)}")
    tasks = TASKS_OF_TABLE[number]
    results = summary(recipe, tasks=tasks) if results is None else results
    cells = published("journal", number)
    networks = [n for n in NETWORKS.values() if n in set(cells["model"])]
    rows = [row for row in results.to_dict("records") if row["task"] in tasks]
    if number == 4:
        rows = [row for row in rows if row["method"] in TABLE_4]
    else:
        rows = [row for row in rows if row["method"] not in ONLY_IN_TABLE_4]
    order, metrics = list(recipe.experiments), list(HEADINGS)

    def position(row: dict) -> tuple:
        subset = row["subset"] != OFFICIAL
        return order.index(row["experiment"]), subset, metrics.index(row["metric"])

    return pd.DataFrame([printed(row, cells, networks) for row in sorted(rows, key=position)])


def counterpart(row: dict, cells: pd.DataFrame) -> tuple[dict[str, tuple[float, bool]], str]:
    """The published row beside a row of ``summary``: network -> (value, dagger). If none, why."""
    dataset = DATASETS.get((row["dataset"], row["task"]))
    name = METHODS[row["method"]].published
    if dataset is None:
        return {}, BUILT_IN if row["dataset"] == "synthetic" else "data set not in the paper"
    if row["subset"] != OFFICIAL:
        return {}, "subset not in the paper"
    if name is None:
        return {}, NOT_PUBLISHED
    theirs = published_row(
        cells,
        dataset=dataset,
        method=name,
        train_faces=row["train_faces"],
        test_faces=row["test_faces"],
        metric=row["metric"],
    )
    return theirs, "" if theirs else NOT_PUBLISHED


def printed(row: dict, cells: pd.DataFrame, networks: list[str]) -> dict[str, str]:
    """One row of ``summary`` as text, with the published row that corresponds to it."""
    method, metric = METHODS[row["method"]], row["metric"]
    theirs, note = counterpart(row, cells)
    unit = 1.0 if metric == "mae_years" else 100.0
    same = theirs.get(NETWORKS.get(row["network"], ""))
    return {
        "experiment": row["experiment"],
        "method": method.title.replace("SVM", "SVR" if row["task"] == "age" else "SVM"),
        "train faces": row["train_faces"],
        "test faces": row["test_faces"],
        "metric": HEADINGS[metric],
        "ours": with_interval(unit * row["mean"], unit * row["low"], unit * row["high"],
                              sd=unit * row["sd"]),
        "n": str(row["n"]),
        "seeds": str(row["seeds"]),
        **{f"published {n}": with_dagger(*theirs[n]) if n in theirs else "" for n in networks},
        "ours - published": f"{unit * row['mean'] - same[0]:+.2f}" if same else "",
        **versus(row, "student", unit),
        **versus(row, "control", unit),
        "subset": row["subset"],
        "label rule": row["label_rule"],
        "network": row["network"],
        "note": note,
    }  # fmt: skip


def versus(row: dict, reference: str, unit: float) -> dict[str, str]:
    """Difference, p, Holm's p, each seed's McNemar p as text; empty where nothing was compared."""
    p = f"p vs {reference}"
    names = f"difference to {reference}", p, f"{p} (Holm)", f"{p} (McNemar, by seed)"
    key = f"vs_{reference}"
    if math.isnan(row[key]):
        return dict.fromkeys(names, "")
    low, high = unit * row[f"{key}_low"], unit * row[f"{key}_high"]
    difference = with_interval(unit * row[key], low, high, sign="+")
    exact = row[f"p_{key}_by_seed"]
    by_seed = ", ".join(map(p_text, exact)) if len(exact) > 1 else ""  # one: it is p itself
    values = difference, p_text(row[f"p_{key}"]), p_text(row[f"p_{key}_holm"]), by_seed
    return dict(zip(names, values, strict=True))


def with_interval(
    value: float, low: float, high: float, *, sd: float = math.nan, sign: str = ""
) -> str:
    """'80.17 ± 0.35 [78.74, 81.52]'; without ± for one seed."""
    spread = "" if math.isnan(sd) else f" ± {sd:.2f}"
    return f"{value:{sign}.2f}{spread} [{low:{sign}.2f}, {high:{sign}.2f}]"


def with_dagger(value: float, significant: bool) -> str:
    return f"{value:.2f}" + ("†" if significant else "")


def p_text(p: float) -> str:
    """Three decimals, as tests are usually printed; '<0.001' below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
