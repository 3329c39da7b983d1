"""A recipe's results folder: tables, figures, protocol, one page to read them on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import mcnemar_test, per_class_recall
from occkd_lib.project import outputs_root, project_root, write_atomically, write_json
from occkd_lib.report import figures, tables
from occkd_lib.report.evidence import METHODS, Evidence, finished_runs, gather
from occkd_lib.report.page import markdown, page, table_section
from occkd_lib.runs import environment
from occkd_lib.tasks import TASKS


def write_results(
    recipe: Recipe | str | Path,
    destination: str | Path | None = None,
    *,
    reference: bool = False,
) -> Path:
    """Write what the recipe's finished runs amount to; return the folder (open its index.html).

    table1..4 as .csv and .md, summary.csv and values.csv (unrounded: fractions, years),
    figures/*.png, predictions-<experiment>.parquet (every test prediction), protocol.json (how all
    of it was made), index.html. destination: default <outputs>/<recipe>/results; with reference,
    outputs/reference/<recipe> of the project, which git keeps. Every number comes from the runs'
    files. Raises OcckdError when no run is finished.
    """
    recipe = tables.as_recipe(recipe)
    values = tables.collect(recipe)
    if values.empty:
        raise OcckdError(
            f"no finished run of recipe {recipe.name!r} in {outputs_root() / recipe.name}: "
            f"start with 'occkd run {recipe.name}'"
        )
    usual = outputs_root() / recipe.name / "results"
    kept = project_root() / "outputs" / "reference" / recipe.name
    folder = Path(destination) if destination is not None else kept if reference else usual

    results = tables.summary(recipe)
    write_text(folder / "values.csv", values.to_csv(index=False))
    write_text(folder / "summary.csv", results.map(plain).to_csv(index=False))

    sections = []
    for number in tables.TASKS_OF_TABLE:
        table = tables.side_by_side(recipe, number, results=results)
        if len(table):
            write_text(folder / f"table{number}.csv", table.to_csv(index=False))
            write_text(folder / f"table{number}.md", markdown(table))
            sections.append(table_section(number, table))
    for name in recipe.experiments:
        everything = gather(recipe, name)
        if everything:
            path = folder / f"predictions-{name}.parquet"
            frame = test_predictions(everything)
            write_atomically(path, partial(frame.to_parquet, index=False))
            shown = results[results["experiment"] == name]
            sections.append(figure_section(folder, recipe, name, shown, everything))
    write_json(folder / "protocol.json", protocol(recipe))
    write_text(folder / "index.html", page(recipe, sections))
    return folder


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def plain(value: Any) -> Any:
    """A list as its values with blanks between; anything else as it is."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def test_predictions(everything: list[Evidence]) -> pd.DataFrame:
    """One row per (test face, seed, method, view): id, target, prediction, duplicate_of_train."""
    parts = [
        pd.DataFrame(
            {
                "seed": seed,
                "method": evidence.method,
                "train_faces": evidence.train_faces,
                "test_faces": evidence.test_faces,
                "id": evidence.ids,
                "target": evidence.target,
                "prediction": prediction,
                "duplicate_of_train": evidence.duplicate,
            }
        )
        for evidence in everything
        if evidence.split == "test"
        for seed, prediction in evidence.predictions.items()
    ]
    return pd.concat(parts, ignore_index=True)


def protocol(recipe: Recipe) -> dict[str, Any]:
    """How the numbers were made: recipe, faces, splits, every run's code, device and time."""
    experiments = {}
    for name, experiment in recipe.experiments.items():
        runs = {k: run.status or {} for k, run in finished_runs(recipe, name).items()}
        if not runs:
            continue
        first = next(iter(runs.values()))
        test = next(e for e in gather(recipe, name) if e.split == "test")
        experiments[name] = {
            "data": experiment.data.model_dump(mode="json"),
            "label_rule": experiment.data.labels,
            "faces_fingerprint": first["config"].get("faces"),
            "n": first.get("n"),
            "test_faces_that_duplicate_train": int(test.duplicate.sum()),
            "runs": {
                f"seed{seed}/{stage}": {k: v for k, v in status.items() if k != "config"}
                for (seed, stage), status in runs.items()
            },
        }
    return {
        "recipe": recipe.model_dump(mode="json"),
        "report": environment(),
        "experiments": experiments,
    }


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
            yield f"{name}-{metric}", caption, figures.results_forest(results, metric=metric)

    runs = finished_runs(recipe, name)
    seed = min(seed for seed, _ in runs)
    trained = {stage: run for (k, stage), run in runs.items() if k == seed and stage != "fusion"}
    if trained:
        curves = {stage: run.history for stage, run in trained.items()}
        yield f"{name}-curves", f"Learning curves, seed {seed}.", figures.learning_curves(curves)

    compared = [m for m in (f"student_{half}", "control", "standard+triplet") if m in test]
    if not task.classes or not compared:
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


def pooled_over_seeds(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(target, prediction), all seeds one after the other."""
    predictions = list(evidence.predictions.values())
    return np.tile(evidence.target, len(predictions)), np.concatenate(predictions)


def figure_section(
    folder: Path, recipe: Recipe, name: str, results: pd.DataFrame, everything: list[Evidence]
) -> str:
    """Save the experiment's figures; their HTML."""
    parts = [f"<h2>Experiment {escape(name)}</h2>"]
    for stem, caption, figure in recipe_figures(recipe, name, results, everything):
        path = folder / "figures" / f"{stem}.png"
        write_atomically(path, partial(figure.savefig, format="png", dpi=150))
        text = escape(caption)
        image = f'<img src="figures/{escape(path.name)}" alt="{text}">'
        parts.append(f"<figure>{image}<figcaption>{text}</figcaption></figure>")
    return "\n".join(parts)
