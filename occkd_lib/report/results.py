"""A recipe's results folder: tables, figures, protocol, one page to read them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root, project_root, write_atomically, write_json
from occkd_lib.report import ablations, over_seeds, tables
from occkd_lib.report.beside import side_by_side
from occkd_lib.report.evidence import Evidence, finished_runs, gather
from occkd_lib.report.formats import html, write_table, write_text
from occkd_lib.report.maps import embedding_maps, why_none
from occkd_lib.report.page import Section, links, page, picture, stem_of, table_section
from occkd_lib.report.pictures import recipe_figures
from occkd_lib.report.published import TABLES, disagreements
from occkd_lib.runs import environment

MAP_CAPTION = (
    "t-SNE of the embeddings of the same test faces, first seed. Neighbourhoods mean something, "
    "distances between clusters and their places do not."
)


def write_results(
    recipe: Recipe | str | Path,
    destination: str | Path | None = None,
    *,
    reference: bool = False,
    maps: bool = True,
) -> Path:
    """Write what the recipe's finished runs amount to; return the folder (open its index.html).

    table1..4 and icpr-table1, each also -complete (with the published cells that have no run), as
    .csv, .md and .tex; summary.csv and values.csv (unrounded: fractions, years), figures/*.png,
    predictions-<experiment>.parquet (every test prediction), protocol.json (how all of it was
    made), index.html. destination: default <outputs>/<recipe>/results; with reference,
    outputs/reference/<recipe> of the project, which git keeps. maps: also t-SNE of the embeddings
    and Grad-CAM, which need weights and data; where they are missing, the page says so. Every
    number comes from the runs' files. Raises OcckdError when no run is finished.
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

    parts = []
    for table, spec in TABLES.items():
        shown = side_by_side(recipe, table, results=results)
        complete = side_by_side(recipe, table, results=results, complete=True)
        if len(shown):
            write_table(folder, spec.stem, shown, spec.title)
        write_table(folder, f"{spec.stem}-complete", complete, spec.title)
        parts.append(table_section(spec, shown, complete))
    for name in recipe.experiments:
        everything = gather(recipe, name)
        if everything:
            path = folder / f"predictions-{name}.parquet"
            frame = test_predictions(everything)
            write_atomically(path, partial(frame.to_parquet, index=False))
            rows = results[results["experiment"] == name]
            parts.append(f"<h2>Experiment {escape(name)}</h2>")
            for stem, caption, figure in recipe_figures(recipe, name, rows, everything):
                parts.append(save_figure(folder, stem, caption, figure))
            lacking = why_none(recipe, name) if maps else "No map of the embeddings was asked for."
            if lacking:
                parts.append(f"<p>{escape(lacking)}</p>")
            else:
                figure = embedding_maps(recipe, name)
                parts.append(save_figure(folder, f"{name}-embeddings", MAP_CAPTION, figure))
    for further in (*FURTHER, *([attention_sections] if maps else [])):
        parts += [write_section(folder, section) for section in further(recipe, results)]
    write_json(folder / "protocol.json", protocol(recipe))
    write_text(folder / "index.html", page(recipe, parts))
    return folder


def disagreements_section(recipe: Recipe, results: pd.DataFrame) -> Iterator[Section]:
    """Which of the published values the papers do not agree on."""
    table = disagreements()
    sentence = "Values that the journal and the ICPR paper both print, but differently; keep both."
    yield Section("Where the two papers disagree", table.astype(str), sentence)


def ablation_sections(recipe: Recipe, results: pd.DataFrame) -> Iterator[Section]:
    """Chapter 7's tables, over all finished seeds."""
    yield from ablations.sections(recipe)


def attention_sections(recipe: Recipe, results: pd.DataFrame) -> Iterator[Section]:
    """Chapter 8's table, over all test faces and finished seeds."""
    from occkd_lib.report import explanations  # grad-cam takes seconds

    yield from explanations.sections(recipe)


# What the page shows after the experiments: each takes the recipe and ``summary``'s table.
FURTHER: tuple[Callable[[Recipe, pd.DataFrame], Iterable[Section]], ...] = (
    over_seeds.sections,
    ablation_sections,
    disagreements_section,
)


def write_section(folder: Path, section: Section) -> str:
    """Save a section's table (text) and figure; its HTML."""
    stem = stem_of(section.title)
    write_table(folder, stem, section.table, section.title)
    parts = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.sentence)}</p>"]
    if section.figure is not None:
        parts.append(save_figure(folder, stem, section.title, section.figure))
    parts += [f"<div class='wide'>{html(section.table)}</div>", f"<p>{links(stem)}</p>"]
    return "\n".join(parts)


def save_figure(folder: Path, stem: str, caption: str, figure: Figure) -> str:
    """Write figures/``stem``.png, with 256 colours (a third of the size); its HTML."""
    path = folder / "figures" / f"{stem}.png"
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    write_atomically(path, partial(image.save, format="PNG", optimize=True))
    return picture(f"figures/{path.name}", caption)


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
