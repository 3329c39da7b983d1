"""Beside papers whose rows are stages of a recipe (stages.yaml): emotional education.

Columns: COMPLETE, or SHORT for the short form. "control": the matched control of that stage, that
all differences are to. 95 % intervals and p: seeds and faces both random (``evaluation.crossed``);
Holm's family: one table, all its experiments and metrics, one subset of the faces. ours: mean over
seeds ± SD.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.evaluation import holm
from occkd_lib.methods import Stage
from occkd_lib.papers.base import Paper, PublishedTable
from occkd_lib.papers.correspondence import StageTable, called, stage_table, streams
from occkd_lib.papers.layout import cited_work, in_order
from occkd_lib.papers.measured import results, scored
from occkd_lib.papers.missing import get, titles
from occkd_lib.papers.published import is_drawn, published
from occkd_lib.results.recalls import control_for
from occkd_lib.results.store import Store, data_name
from occkd_lib.results.summary import OFFICIAL
from occkd_lib.results.text import p_text
from occkd_lib.stages import graph
from occkd_lib.tasks.metrics import ACCURACY, WEIGHTED_ACCURACY

HEADINGS = {"accuracy_pct": ACCURACY.heading, "average_pct": WEIGHTED_ACCURACY.heading}
COMPARED = ["control", "difference to control", "p vs control", "p vs control (Holm)"]
PLACE = ["stage", "train faces", "test faces", "data set", "metric", "subset", "network"]
COMPLETE = [
    "data set", "method", "as printed", "network", "train faces", "test faces", "metric", "ours",
    "95 % interval", "published", "ours - published", "n", "seeds", *COMPARED, "subset",
    "label rule", "experiment", "command", "note",
]  # fmt: skip
SHORT = [
    "experiment", "method", "as printed", "data set", "train faces", "test faces", "metric", "ours",
    "95 % interval", "n", "seeds", "published", "ours - published", *COMPARED, "subset",
    "label rule", "network", "note",
]  # fmt: skip
OURS = [
    "experiment", "mean", "ours", "95 % interval", "n", "seeds", *COMPARED, "p", "label rule", "why"
]  # fmt: skip


def complete_form(store: Store, paper: Paper, spec: PublishedTable) -> pd.DataFrame:
    """One row a published cell, in the table's order, and what of ours is no cell between them."""
    table, theirs = stage_table(paper, spec.number), their_lines(paper, spec.number)
    ours = our_lines(store, paper, spec, theirs)
    found = ours.merge(theirs, on=PLACE, how="outer")
    names = titles(store.recipe, table)
    printed = dict(zip(theirs["stage"], theirs["as printed"], strict=True))
    found["as printed"] = found["stage"].map(printed).fillna("")
    found["method"] = found["stage"].map(names).fillna(found["stage"])
    cited = ~found["stage"].isin(table.stages)
    found.loc[cited, "method"] = cited_work(paper, paper.cited)
    own = found["experiment"].astype(object).map(store.recipe.command, na_action="ignore")
    found["command"] = own.fillna("")
    for i in found.index[found["ours"].isna() & ~cited]:
        stage, data = found.loc[i, ["stage", "data set"]]
        found.loc[i, ["ours", "command"]] = get(store.recipe, paper, table, stage, data)
    order = {
        "subset": [OFFICIAL],
        "stage": [*theirs["stage"], *table.ours],
        "network": list(theirs["network"]),
        "data set": list(theirs["data set"]),
        "metric": list(theirs["metric"]),
    }
    return in_order(with_gap(found), order)[COMPLETE].fillna("")


def short_form(store: Store, paper: Paper, spec: PublishedTable) -> pd.DataFrame:
    """One row a result of ours; what is published stands beside it where the data set agrees, for
    orientation where the network does not."""
    table, theirs = stage_table(paper, spec.number), their_lines(paper, spec.number)
    ours = our_lines(store, paper, spec, theirs)
    cells = theirs.drop(columns="network").drop_duplicates(PLACE[:-1])
    found = with_gap(ours.merge(cells, on=PLACE[:-1], how="left"))
    found.loc[found["why"] != "", "ours - published"] = ""
    printed = dict(zip(theirs["stage"], theirs["as printed"], strict=True))
    found["as printed"] = found["stage"].map(printed).fillna("")
    found["method"] = found["stage"].map(titles(store.recipe, table))
    order = {
        "experiment": list(store.recipe.experiments),
        "subset": [OFFICIAL],
        "data set": list(theirs["data set"]),
        "metric": list(theirs["metric"]),
        "stage": table.stages,
    }
    return in_order(found, order)[SHORT].fillna("")


def with_gap(found: pd.DataFrame) -> pd.DataFrame:
    """With "ours - published", and the note: why nothing stands beside it, else the cell's."""
    gap = found["mean"] - found["value"]
    why, note = found["why"].fillna(""), found["their note"].fillna("")
    return found.assign(
        **{
            "ours - published": gap.map(
                lambda points: "" if np.isnan(points) else f"{points:+.2f}"
            ),
            "note": why.where(why != "", note),
        }
    )


def heading(metric: str) -> str:
    """What we call a column of the CSV files: "recall_fear_pct" -> "recall fear, %"."""
    return HEADINGS.get(metric, metric.replace("_pct", ", %").replace("_", " "))


def their_lines(paper: Paper, number: str) -> pd.DataFrame:
    """Published cells: PLACE, as printed, value, published (text), their note.

    stage: what corresponds to the row, or the row as printed, where it is another work's.
    """
    table, cells = stage_table(paper, number), published(paper.name, number)
    printed = table.printed(cells)
    return pd.DataFrame(
        {
            "stage": printed.map(dict(table.rows)).fillna(printed),
            "train faces": cells["train_faces"],
            "test faces": cells["test_faces"],
            "data set": cells["dataset"],
            "metric": cells["metric"].map(heading),
            "subset": OFFICIAL,
            "network": cells["model"],
            "as printed": printed,
            "value": cells["value"],
            "published": cells["value"].map("{:.2f}".format).where(cells["value"].notna(), "-"),
            "their note": cells["note"],
        }
    )


def our_lines(
    store: Store, paper: Paper, spec: PublishedTable, theirs: pd.DataFrame
) -> pd.DataFrame:
    """Our results in words, one row a (stage, data set, metric, subset): PLACE and OURS."""
    table, lines = stage_table(paper, spec.number), []
    metrics = list(dict.fromkeys(published(paper.name, spec.number)["metric"]))
    where = list(dict.fromkeys(theirs["data set"]))
    models = dict(zip(theirs["stage"], theirs["network"], strict=True))
    known = set(theirs[PLACE].itertuples(index=False, name=None))
    cells, names = {place[:-1] for place in known}, titles(store.recipe, table)
    for name, experiment in store.recipe.experiments.items():
        linked = graph(experiment)
        asked = experiment.task in spec.tasks
        stages = [s for s in table.stages if table.has(experiment, s)] if asked else []
        controls = {s: control_for(experiment, s, coarse=table.coarse) for s in stages}
        for dataset, data in table.sets(paper, experiment).items() if stages else ():
            found = {
                stage: scored(store, name, stage, coarse=table.coarse, data=data_name(data))
                for stage in {*stages, *filter(None, controls.values())}
            }
            for stage, control in controls.items():
                network, view = network_name(table, linked[stage], models), linked[stage].view
                pair = found[stage], found[control] if control else None
                for metric, subset, line in results(experiment, metrics, *pair):
                    place = (stage, view, view, dataset, heading(metric), subset, network)
                    why = "" if place in known else "network not in the paper"
                    if place[:-1] not in cells:
                        why = not_there(paper, experiment, dataset in where, subset)
                    facts = {"experiment": name, "why": why, "label rule": label_rule(experiment)}
                    title = names.get(control, control) if control and "p" in line else ""
                    lines.append(
                        dict(zip(PLACE, place, strict=True)) | facts | {"control": title} | line
                    )
    ours = pd.DataFrame(lines, columns=[*PLACE, *OURS]).astype({"mean": float, "p": float})
    adjusted = ours.groupby("subset")["p"].transform(lambda p: holm(p.to_numpy()))
    ours["p vs control (Holm)"] = ["" if np.isnan(p) else p_text(p) for p in adjusted]
    return ours.drop(columns="p")


def not_there(paper: Paper, experiment: Experiment, set_there: bool, subset: str) -> str:
    """Why the table has no cell for one of our results."""
    if is_drawn(experiment):
        return "built-in faces: not comparable with the papers"
    if not set_there:
        own = (experiment.data, *experiment.test_on)
        there = all(called(paper, d, experiment.task) in paper.datasets.values() for d in own)
        return "data set not in this table" if there else "data set not in the paper"
    return "not in the paper" if subset == OFFICIAL else "subset not in the paper"


def label_rule(experiment: Experiment) -> str:
    """The rule by which the training faces got their labels, if there are several."""
    return getattr(experiment.data, "labels", None) or ""


def network_name(table: StageTable, stage: Stage, models: dict[str, str]) -> str:
    """As the table prints it where it is the paper's, else in our words."""
    network = stage.network
    if table.same_network(stage.name, network) and stage.name in models:
        return models[stage.name]
    return ", ".join(filter(None, (network.name, streams(network))))
