"""Ablations: one question, one small table, one sentence (journal, Table 4 and Sect. 4; chapter 7).

Three questions can be asked of any finished experiment; the recipe's ``ablations`` ask others, each
of them by training a stage again with some settings changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.config import Ablation, Arm, Experiment, Recipe, arm_stage, stage_settings
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import METRICS, interval
from occkd_lib.report import figures, forests
from occkd_lib.report.comparisons import (
    HEADINGS,
    LEVEL,
    differences,
    is_better,
    unit,
)
from occkd_lib.report.evidence import check_settings, seeds_of
from occkd_lib.report.page import Section
from occkd_lib.report.tables import p_text, with_interval
from occkd_lib.runs import Run, run_folder
from occkd_lib.tasks import TASKS

FAR = 6  # times the median reach of a table's intervals


class Look(NamedTuple):
    """Whose answers, on which view: a run's stage, the method in its predictions, the view."""

    stage: str
    method: str
    visible: str


class Question(NamedTuple):
    """text: what is asked. looks: label -> Look; all are compared with the first."""

    text: str
    looks: dict[str, Look]


def questions(experiment: Experiment, seed: int | None = None) -> dict[str, Question]:
    """All ablations of an experiment by name: the three standing ones, then the recipe's.

    seed: only those that the recipe asks with this seed.
    """
    half = experiment.visible
    student = f"student_{half}"
    own = {
        name: Look(name, name, half)
        for name in (student, "teacher", "control", "standard", "triplet")
    }
    halves = {"teacher, full": Look("teacher", "teacher", "full")}
    for visible in ("lower", "upper"):
        halves[f"teacher, {visible}"] = Look("teacher", "teacher", visible)
        halves[f"student, {visible}"] = Look(f"student_{visible}", f"student_{visible}", visible)
    fused = {
        "control, SVM": Look("fusion", "control_svm", half),
        "TS": own["standard"],
        "TL": own["triplet"],
        "TS, SVM": Look("fusion", "standard_svm", half),
        "TL, SVM": Look("fusion", "triplet_svm", half),
        "TS + TL, SVM": Look("fusion", "standard+triplet", half),
    }
    curriculum = {
        "step 1, 2 (student)": own[student],
        "step 1 (teacher)": own["teacher"],
        "step 1, 2, as long as 3": own["control"],
        "step 1, 2, 3 (standard)": own["standard"],
        "step 1, 2, 3 (triplet)": own["triplet"],
    }
    found = {
        "curriculum": Question("What does each step of the curriculum bring?", curriculum),
        "halves": Question("What does each half of the face tell?", halves),
        "embeddings": Question("Which embedding, and do two tell more than one?", fused),
    }
    if not experiment.both_halves:  # then nobody trained the other half's student
        del found["halves"]
    asked = experiment.ablations if seed is None else experiment.ablations_of(seed)
    for name, ablation in asked.items():
        looks = {
            label: Look(stage, ablation.stage, half)
            for label, stage in arm_labels(experiment, ablation).items()
        }
        looks["control"] = Look(arm_stage("control", ablation.control), "control", half)
        found[name] = Question(ablation.question, looks)
    return found


def arm_labels(experiment: Experiment, ablation: Ablation) -> dict[str, str]:
    """Label -> stage of every arm: what it changes, without what all arms have in common.

    The first arm, to which the others are compared, is named by the recipe's own values.
    """
    first, *others = ablation.arms
    varied = [key for arm in others for key in arm if arm[key] != first.get(key)]
    settings = stage_settings(experiment, arm_stage(ablation.stage, first)).model_dump()
    reference: Arm = {key: settings[key] for key in dict.fromkeys(varied)}
    labels = [f"recipe: {spelt(reference)}"]
    labels += [spelt({k: v for k, v in arm.items() if first.get(k) != v}) for arm in others]
    return {
        label: arm_stage(ablation.stage, arm)
        for label, arm in zip(labels, ablation.arms, strict=True)
    }


def spelt(arm: Mapping[str, object]) -> str:
    """``alpha 0.1, mining random``"""
    return ", ".join(f"{key} {str(value).lower()}" for key, value in arm.items())


def stages_of(asked: Mapping[str, Question]) -> list[str]:
    """Every stage that the questions need, once, in an order in which they can be run."""
    stages = dict.fromkeys(look.stage for q in asked.values() for look in q.looks.values())
    return sorted(stages, key=lambda stage: stage == "fusion")


def finished(recipe: Recipe, experiment: str, question: Question) -> list[int]:
    """Seeds for which every run that the question needs is done."""
    stages = {look.stage for look in question.looks.values()}

    def done(seed: int) -> bool:
        return all(Run(run_folder(recipe.name, experiment, seed, s)).done for s in stages)

    return [seed for seed in seeds_of(recipe, experiment) if done(seed)]


def answers(
    recipe: Recipe, experiment: str, question: Question, seed: int, split: str
) -> pd.DataFrame:
    """What each look says of the faces of one split: columns target, then one a label, by id."""
    columns: dict[str, pd.Series] = {}
    for label, look in question.looks.items():
        run = Run(run_folder(recipe.name, experiment, seed, look.stage))
        check_settings(run, recipe.experiments[experiment], look.stage)
        rows = run.predictions.query(
            "split == @split and visible == @look.visible and method == @look.method"
        ).set_index("id")
        target = columns.setdefault("target", rows["target"])
        if not rows["target"].equals(target):
            raise OcckdError(f"{run.folder} saw other {split} faces: delete it and run it again")
        columns[label] = rows["prediction"]
    return pd.DataFrame(columns)


def ablation_table(
    recipe: Recipe, experiment: str, question: Question, seeds: Sequence[int] | None = None
) -> pd.DataFrame:
    """One row a look: the metric on validation and on test, and the difference to the first row.

    seeds: None for all that are finished. Index: the labels. Columns: seeds (how many), n (test
    faces), validation, the test metric (mean over seeds) with its 95 % interval over test faces low
    and high, difference (points or years, to the first row) with its paired interval, p (exact
    McNemar for one seed's accuracy, else paired bootstrap), p (Holm; over the table). Per cent, or
    years. Raises OcckdError when no seed is finished.
    """
    seeds = finished(recipe, experiment, question) if seeds is None else seeds
    if not seeds:
        missing = ", ".join(dict.fromkeys(look.stage for look in question.looks.values()))
        raise OcckdError(
            f"{recipe.name}/{experiment}: no seed has all of {missing}: run chapter 7 first"
        )
    metric = TASKS[recipe.experiment(experiment).task].metric
    factor, _ = unit(metric)
    test = [answers(recipe, experiment, question, seed, "test") for seed in seeds]
    val = [answers(recipe, experiment, question, seed, "val") for seed in seeds]
    first, *others = question.looks
    target = test[0]["target"].to_numpy()
    rows = {}
    for label in question.looks:
        within = interval(target, [table[label].to_numpy() for table in test], metric)
        held_out = [METRICS[metric](t["target"], t[label]) if len(t) else np.nan for t in val]
        rows[label] = {
            "seeds": len(seeds),
            "n": len(target),
            "validation": factor * np.mean(held_out),
            HEADINGS[metric]: factor * within.value,
            "low": factor * within.low,
            "high": factor * within.high,
        }
    paired = differences(test, [(label, first) for label in others], metric).set_index("method")
    paired = paired.rename(columns={"low": "difference low", "high": "difference high"})
    table = pd.DataFrame.from_dict(rows, orient="index").join(
        paired[["difference", "difference low", "difference high", "p", "p (Holm)"]]
    )
    return table.round(dict.fromkeys(["validation", HEADINGS[metric], "low", "high"], 2))


def printed(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """An ablation table as text, ready for a page or a paper."""
    first = table.index[0]
    rows = []
    for label, row in zip(table.index, table.to_dict("records"), strict=True):
        compared = label != first
        found = with_interval(
            row["difference"], row["difference low"], row["difference high"], sign="+"
        )
        rows.append(
            {
                "arm": label,
                f"test {HEADINGS[metric]}": with_interval(
                    row[HEADINGS[metric]], row["low"], row["high"]
                ),
                "validation": "" if np.isnan(row["validation"]) else f"{row['validation']:.2f}",
                f"against {first}": found if compared else "",
                "p": p_text(row["p"]) if compared else "",
                "p (Holm)": p_text(row["p (Holm)"]) if compared else "",
                "seeds": str(row["seeds"]),
                "n": str(row["n"]),
            }
        )
    return pd.DataFrame(rows)


def sections(recipe: Recipe) -> Iterator[Section]:
    """Every ablation of every experiment for which a seed is finished, all such seeds together."""
    for name, experiment in recipe.experiments.items():
        metric = TASKS[experiment.task].metric
        for kind, question in questions(experiment).items():
            if finished(recipe, name, question):
                table = ablation_table(recipe, name, question)
                yield Section(
                    f"Ablation {name} {kind}",
                    printed(table, metric),
                    f"{question.text} {sentence(table, metric)}",
                    forest(table, metric, title=question.text),
                )


def forest(table: pd.DataFrame, metric: str, *, title: str = "") -> Figure:
    """The differences of an ablation table to its first row; one far away stands at the edge."""
    _, name = unit(metric)
    first, rows = table.index[0], table.iloc[1:]
    reach = rows[["difference low", "difference high"]].abs().max(axis=1)
    limit = 1.15 * reach[reach <= FAR * reach.median()].max() or math.inf  # all equal
    columns = ["difference", "difference low", "difference high", "p (Holm)"]
    dots = [
        forests.Dot(str(label), value, low, high, figures.PALETTE[0] if p < LEVEL else "0.5")
        for label, (value, low, high, p) in zip(rows.index, rows[columns].to_numpy(), strict=True)
    ]
    label = f"{name} ({forests.wanted(name)}) against: {first}\nblue: p (Holm) < {LEVEL}"
    return forests.forest(dots, label, title=title, limit=limit)


def sentence(table: pd.DataFrame, metric: str) -> str:
    """What an ablation table says, from its numbers: significant rows, and validation's choice."""
    _, name = unit(metric)
    first, others = table.index[0], table.iloc[1:]
    better = is_better(others, metric)
    said = []
    for row, ahead in zip(others.itertuples(), better, strict=True):
        values = dict(zip(others.columns, row[1:], strict=True))
        if values["p (Holm)"] < LEVEL:
            found = with_interval(
                values["difference"], values["difference low"], values["difference high"], sign="+"
            )
            verdict = "better" if ahead else "worse"
            said.append(f"{row[0]} is {verdict} ({found} {name}, p {p_text(values['p (Holm)'])})")
    text = f"Compared with {first}: "
    text += "; ".join(said) if said else "nothing is told apart by these faces"
    if len(said) and len(said) < len(others):
        text += "; the rest is not told apart"
    if table["validation"].notna().all():
        ranks = table["validation"] if metric != "mean_absolute_error" else -table["validation"]
        text += f". Validation prefers {ranks.idxmax()}"
    return text + "."
