"""A recipe's results folder: tables, figures, protocol, one page to read them on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from occkd_lib import plots
from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.papers import PAPERS, TABLES, disagreements, published, side_by_side
from occkd_lib.project import outputs_root, project_root, write_atomically, write_json
from occkd_lib.results import (
    Section,
    Store,
    ablations,
    collect,
    every_prediction,
    false_alarms,
    labels,
    open_store,
    over_seeds,
    protocol,
    recalls,
    summary,
    views,
)
from occkd_lib.site.headline import main_results
from occkd_lib.site.maps import experiment_map, why_no_map
from occkd_lib.site.page import Part, Picture, page
from occkd_lib.site.pictures import pictures
from occkd_lib.site.tables import write_table, write_text

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
    results: pd.DataFrame | None = None,
    processes: int = 1,
) -> Path:
    """Write what the recipe's finished runs amount to; return the folder (open its index.html).

    One table for each published table, each also -complete (with the published cells that have no
    run), as .csv, .md and .tex; summary.csv and values.csv (unrounded: fractions, years),
    figures/*.png, predictions-<experiment>.parquet (every test prediction), protocol.json (how all
    of it was made), index.html. destination: default <outputs>/<recipe>/results; with reference,
    outputs/reference/<recipe> of the project, which git keeps. maps: also t-SNE of the embeddings
    and Grad-CAM, which need weights and data; where they are missing, the page says so. results:
    the store's ``summary``, if it is there already. processes: with more than one, the others draw
    the experiments' pictures meanwhile. Every number comes from the runs' files. Raises OcckdError
    when no run is finished.
    """
    store = open_store(recipe)
    recipe = store.recipe
    values = collect(store)
    if values.empty:
        raise OcckdError(
            f"no finished run of recipe {recipe.name!r} in {outputs_root() / recipe.name}: "
            f"start with 'occkd run {recipe.name}'"
        )
    folder = outputs_root() / recipe.name / "results"
    if reference:
        folder = project_root() / "outputs" / "reference" / recipe.name
    folder = Path(destination or folder)
    results = summary(store) if results is None else results
    write_text(folder / "values.csv", values.to_csv(index=False))
    write_text(folder / "summary.csv", results.map(plain).to_csv(index=False))
    asked = [
        (folder, recipe, name, results[results["experiment"] == name], maps)
        for name in recipe.experiments if store.runs(name)
    ]  # fmt: skip
    spawn = get_context("spawn")  # CUDA does not survive a fork
    with (
        ProcessPoolExecutor(processes - 1, mp_context=spawn) if processes > 1 else nullcontext()
    ) as others:
        drawn = (
            others.map(experiment_part, *zip(*asked, strict=True)) if others
            else starmap(experiment_part, asked)
        )  # fmt: skip
        first = [short_part(folder, results)]
        # labels of one's own are in no paper
        if any({*spec.tasks} & {*results["task"]} for spec in TABLES.values()):
            first += published_parts(folder, store, results)
        last = [*section_parts(folder, store, results, maps=maps)]
        parts = [*first, *drawn, *last]
    write_json(folder / "protocol.json", protocol(store))
    write_text(folder / "index.html", page(recipe, parts))
    return folder


def short_part(folder: Path, results: pd.DataFrame) -> Part:
    """Save a line a method."""
    table, title = main_results(results.map(plain)), "The results in short"
    write_table(folder, "headline", table, title)
    return Part(title, stem="headline", table=table)


def published_parts(folder: Path, store: Store, results: pd.DataFrame) -> Iterator[Part]:
    """Save every published table beside ours, both forms."""
    for table, spec in TABLES.items():
        shown = side_by_side(store, table, results=results)
        complete = side_by_side(store, table, results=results, complete=True)
        write_table(folder, f"{spec.stem}-complete", complete, spec.title)
        if len(shown):
            write_table(folder, spec.stem, shown, spec.title)
        cells = published(spec.paper, spec.number)
        odd = cells[cells["note"] != ""]
        nothing = [] if len(shown) else ["No finished run of this recipe belongs here."]
        yield Part(
            spec.title,
            [*filter(None, [PAPERS[spec.paper].how]), *nothing],
            stem=spec.stem,
            table=shown if len(shown) else None,
            complete=complete,
            odd=list(dict.fromkeys(f"{c.method}, {c.model}: {c.note}" for c in odd.itertuples())),
        )


def experiment_part(
    folder: Path, recipe: Recipe, name: str, results: pd.DataFrame, maps: bool
) -> Part:
    """Save an experiment's predictions and pictures. results: the summary's lines of it."""
    store = Store(recipe)
    # face by face, what repeats stands together: a tenth of the bytes
    predictions = every_prediction(store.answers(name)).sort_values("id", kind="stable")
    write = partial(predictions.to_parquet, index=False, compression="zstd")
    write_atomically(folder / f"predictions-{name}.parquet", write)
    drawn = [
        save_figure(folder, f"{name}-{stem}", caption, figure)
        for stem, caption, figure in pictures(store, name, results)
    ]
    lacking = why_no_map(store, name) if maps else "No map of the embeddings was asked for."
    if not lacking:
        figure = experiment_map(store, name)
        drawn.append(save_figure(folder, f"{name}-embeddings", MAP_CAPTION, figure))
    return Part(f"Experiment {name}", [lacking] if lacking else [], drawn)


def section_parts(
    folder: Path, store: Store, results: pd.DataFrame, *, maps: bool
) -> Iterator[Part]:
    """What the page shows after the experiments, each drawn in its own way."""
    for s in over_seeds.sections(store, results):
        assert s.metric
        yield section_part(folder, s, plots.over_seeds_forest(s.table, s.metric))
    for s in labels.sections(store):
        assert s.metric
        yield section_part(folder, s, plots.label_curves(s.table, s.metric))
    for s in recalls.sections(store):
        yield section_part(folder, s)
    for s in views.sections(store):
        assert s.metric
        shown = s.table[s.table["tested on"].isin(views.shapes(s.table["tested on"]))]
        yield section_part(folder, s, plots.view_matrix(shown, s.metric, title=s.heading))
    for s in false_alarms.sections(store):
        yield section_part(folder, s)
    for s in ablations.sections(store):
        assert s.metric
        yield section_part(folder, s, plots.ablation_forest(s.table, s.metric, title=s.heading))
    yield section_part(folder, disagreement())
    if maps:
        from occkd_lib.results import attention  # grad-cam takes seconds

        for s in attention.sections(store):
            figure = None  # a network without a map: there is nothing but the sentence
            if len(s.table):
                figure = plots.attention_forest(s.table, chance=s.table["chance"].iloc[0])
            yield section_part(folder, s, figure)


def disagreement() -> Section:
    """Which of the published values the papers do not agree on."""
    table = disagreements()
    sentence = "Values that the journal and the ICPR paper both print, but differently; keep both."
    return Section("Where the two papers disagree", sentence, table, table.astype(str))


def section_part(folder: Path, section: Section, figure: Figure | None = None) -> Part:
    """Save a section's table and figure."""
    stem = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")
    if section.text.empty:
        return Part(section.title, [section.sentence])
    write_table(folder, stem, section.text, section.title)
    drawn = [save_figure(folder, stem, section.title, figure)] if figure else []
    return Part(section.title, [section.sentence], drawn, stem, section.text)


def save_figure(folder: Path, stem: str, caption: str, figure: Figure) -> Picture:
    """Write figures/``stem``.png, with 256 colours (a third of the size)."""
    path = folder / "figures" / f"{stem}.png"
    drawn = FigureCanvasAgg(figure)
    figure.set_dpi(150)
    drawn.draw()
    image = Image.fromarray(np.asarray(drawn.buffer_rgba())).convert("RGB")
    image = image.quantize(256, dither=Image.Dither.NONE)
    write_atomically(path, partial(image.save, format="PNG", optimize=True))
    return Picture(f"figures/{path.name}", caption)


def plain(value: Any) -> Any:
    """A list as its values with blanks between; anything else as it is."""
    return " ".join(map(str, value)) if isinstance(value, list) else value
