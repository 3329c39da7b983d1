"""A recipe's results folder: tables, figures, protocol, one page to read them on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path
from string import Template
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
from occkd_lib.report.published import published
from occkd_lib.runs import environment
from occkd_lib.tasks import TASKS

TITLES = {
    1: "Facial expression (the journal's Table 1)",
    2: "Gender (the journal's Table 2)",
    3: "Age (the journal's Table 3)",
    4: "SVM on each embedding and on both (the journal's Table 4)",
}


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


def without_empty_columns(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[:, (table != "").any()]


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table; columns without content are left out."""
    table = without_empty_columns(table)
    lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def table_section(number: int, table: pd.DataFrame) -> str:
    cells = published("journal", number)
    odd = cells[(cells["note"] != "") & (cells["dataset"] != "AffectNet")]
    notes = dict.fromkeys(f"{r.method}, {r.model}: {r.note}" for r in odd.itertuples())
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    remarks = f"<details><summary>Odd in the published table</summary><ul>{remarks}</ul></details>"
    html = without_empty_columns(table).to_html(index=False, border=0, na_rep="")
    return (
        f"<h2>{escape(TITLES[number])}</h2>\n<div class='wide'>{html}</div>\n"
        f"<p><a href='table{number}.csv'>CSV</a> · <a href='table{number}.md'>Markdown</a></p>\n"
        + (remarks if notes else "")
    )


def page(recipe: Recipe, sections: list[str]) -> str:
    now = environment()
    return PAGE.substitute(
        title=escape(f"Results of recipe {recipe.name}"),
        description=escape(recipe.description),
        code=escape(f"commit {now['git_commit']}, library {now['library_hash']}"),
        body="\n".join(sections),
    )


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; white-space: nowrap;
  border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 2px solid #888; white-space: normal; vertical-align: bottom; }
tbody tr:hover { background: #f5f8fb; }
figure { margin: 1.5rem 0; } img { max-width: min(100%, 52rem); }
figcaption, .how { color: #555; font-size: 14px; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$description</p>
<div class="how">
<p><b>ours</b>: mean over seeds ± SD over seeds [95 % interval over test faces], in per cent or
years; Wilson's interval for one seed's accuracy, bootstrap otherwise. <b>difference</b>: with its
paired bootstrap interval; points, or years. <b>p</b>: McNemar's exact test for one seed's accuracy,
paired bootstrap otherwise; <b>Holm</b>: over all rows of a data set, task and subset.
<b>control</b>: the student trained on for as long, without a teacher; for an SVM, the SVM on that
control. <b>full, lower, upper</b>: the visible part of the faces. <b>†</b>: called significant by
the paper. The tests take the trained networks as given; what another seed would do, the SD over
seeds shows, not p.</p>
<p>Unrounded: <a href="summary.csv">summary.csv</a>, <a href="values.csv">values.csv</a>. How it was
made, run by run: <a href="protocol.json">protocol.json</a>. Page written by $code.</p>
</div>
$body
</body>
</html>
""")
