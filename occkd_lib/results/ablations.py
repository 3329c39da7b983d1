"""Ablations: one question, one small table, one sentence (journal, Table 4 and Sect. 4; chapter 7).

Three questions can be asked of a finished experiment, if it has the stages for them; the recipe's
``ablations`` ask others, each of them by training a stage again with some settings changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from occkd_lib.config import Ablation, Experiment, arm_name
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import interval
from occkd_lib.losses.task import TASK_LOSSES
from occkd_lib.methods import Row
from occkd_lib.occlusion import view_title
from occkd_lib.plugins import resolve
from occkd_lib.results.differences import LEVEL, differences, is_better, preferred
from occkd_lib.results.store import Source, Store
from occkd_lib.results.text import Section, intervals, p_text, printed, with_interval
from occkd_lib.stages import graph, rows_of, stage_of
from occkd_lib.tasks import Metric, task_of
from occkd_lib.tasks.metrics import metric_of
from occkd_lib.training.predictions import NETWORK

DIFFERENCE = ["difference", "difference low", "difference high"]


class Question(NamedTuple):
    """text: what is asked. sources: label -> whose answers; all are compared with the first."""

    text: str
    sources: dict[str, Source]


def questions(experiment: Experiment, seed: int | None = None) -> dict[str, Question]:
    """All ablations of an experiment by name: the standing ones, then the recipe's.

    seed: only those that the recipe asks with this seed. A standing question that has nothing to
    compare in this experiment is left out.
    """
    rows = list(rows_of(experiment).values())
    standing = {
        "curriculum": Question(
            "What does each step of the curriculum bring?", steps(experiment, rows)
        ),
        # with test_views every network meets every view: results.views has the whole table
        "views": Question(
            "What does each view of the face tell?", {} if experiment.test_views else views(rows)
        ),
        "embeddings": Question("Which embedding, and do two tell more than one?", machines(rows)),
    }
    found = {name: asked for name, asked in standing.items() if len(asked.sources) > 1}
    own = experiment.ablations if seed is None else experiment.ablations_of(seed)
    return found | {k: Question(a.question, arms(experiment, a)) for k, a in own.items()}


def steps(experiment: Experiment, rows: Sequence[Row]) -> dict[str, Source]:
    """The students that distillation begins with, their teachers, the controls, and what is
    distilled, all on the visible part."""
    stages = graph(experiment)
    here = {row.stage: row for row in rows if row.view == experiment.visible and row.key == NETWORK}
    distilled = [row for stage, row in here.items() if stages[stage].method.distils]
    names = [
        *(row.student for row in distilled),
        *(getattr(stages[row.stage].settings, "teacher", None) for row in distilled),
        *(row.control for row in distilled),
        *(row.name for row in distilled),
    ]
    return {name: Source.of(here[name]) for name in dict.fromkeys(names) if name in here}


def views(rows: Sequence[Row]) -> dict[str, Source]:
    """Every network that no teacher taught and no training continued, on every view that it is
    tested on; nothing unless two parts of the face have a student of their own."""
    first = [row for row in rows if row.key == NETWORK and len(row.trained_on) == 1]
    first = [row for row in first if not (row.student or row.control)]
    if len({row.trained_on for row in first}) < 3:
        return {}
    order = list(dict.fromkeys(row.view for row in first))
    first.sort(key=lambda row: order.index(row.view))
    return {f"{row.name}, {view_title(row.view)}": Source.of(row) for row in first}


def machines(rows: Sequence[Row]) -> dict[str, Source]:
    """The linear machines on controls, the distilled networks as they are, machines on these."""
    networks = {row.name: row for row in rows if row.key == NETWORK}
    controls = {row.control for row in networks.values()}
    fused = sorted((row for row in rows if row.key != NETWORK), key=lambda row: len(row.parts))
    on_controls = [row for row in fused if controls.issuperset(row.parts)]
    others = [row for row in fused if row not in on_controls]
    parts = dict.fromkeys(part for row in others for part in row.parts)
    alone = [networks[part] for part in parts if part in networks]
    return {row.name: Source.of(row) for row in (*on_controls, *alone, *others)}


def arms(experiment: Experiment, ablation: Ablation) -> dict[str, Source]:
    """Label -> every arm: what it changes, without what all arms have in common; last the control.

    The first arm, with which the others are compared, is named by the recipe's own values.
    """
    first, *others = ablation.arms
    varied = [key for arm in others for key in arm if arm[key] != first.get(key)]
    stage = arm_name(ablation.stage, first)
    own = {key: value_of(experiment, stage, key) for key in dict.fromkeys(varied)}
    labels = [f"recipe: {in_words(own)}"]
    labels += [in_words({k: v for k, v in arm.items() if first.get(k) != v}) for arm in others]
    stages = experiment.ablation_stages(ablation)
    labels += [experiment.control_of(ablation.stage) or ""]
    return {
        label: Source(stage, NETWORK, stage_of(experiment, stage).view)
        for label, stage in zip(labels, stages, strict=False)
    }


def value_of(experiment: Experiment, stage: str, setting: str) -> Any:
    """The value of a setting of a stage or arm ("lr", "loss.expansion"), given or by default."""
    settings = experiment.settings(stage)
    first, _, parameter = setting.partition(".")
    if first == "loss" and parameter and (loss := getattr(settings, "loss", None)):
        known = inspect.signature(resolve("loss", loss.name, TASK_LOSSES)).parameters
        return loss.parameters.get(parameter, known[parameter].default)
    if setting == "batch_size" and settings.batch_size is None:  # type: ignore[attr-defined]
        return experiment.batch_size
    return reduce(getitem, setting.split("."), settings.model_dump())


def in_words(arm: Mapping[str, object]) -> str:
    """``alpha 0.1, mining random``"""
    return ", ".join(f"{key} {str(value).lower()}" for key, value in arm.items())


def stages_of(asked: Mapping[str, Question]) -> list[str]:
    """Every stage and arm that the questions need, once."""
    sources = [source for question in asked.values() for source in question.sources.values()]
    return list(dict.fromkeys(source.stage for source in sources))


def ablation_table(
    store: Store, experiment: str, question: Question, seeds: Sequence[int] | None = None
) -> pd.DataFrame:
    """One row a source: the metric on validation and on test, and the difference to the first row.

    seeds: None for all that are finished. Index: the labels. Columns: seeds (how many), n (test
    faces), validation, the test metric (mean over seeds) with its 95 % interval over test faces low
    and high, difference (points or years, to the first row) with its paired interval, p (exact
    McNemar for one seed's accuracy, else paired bootstrap), p (Holm; over the table). Per cent, or
    years. Raises OcckdError when no seed is finished.
    """
    stages = stages_of({"": question})
    seeds = store.complete_seeds(experiment, stages) if seeds is None else seeds
    if not seeds:
        where, missing = f"{store.recipe.name}/{experiment}", ", ".join(stages)
        raise OcckdError(f"{where}: no seed has all of {missing}: run chapter 7 first")
    metric = task_of(store.recipe.experiment(experiment).task).metric
    test = [store.columns(experiment, question.sources, seed) for seed in seeds]
    first, *others = question.sources
    target = test[0]["target"].to_numpy()
    rows = {}
    for label, source in question.sources.items():
        within = interval(target, [table[label].to_numpy() for table in test], metric)
        held_out = [store.on_validation(experiment, source, seed) for seed in seeds]
        rows[label] = (metric.factor * np.mean(held_out), *printed(within, metric))
    columns = ["validation", metric.heading, "low", "high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)
    table.insert(0, "seeds", len(seeds))
    table.insert(1, "n", len(target))
    paired = differences(test, [(label, first) for label in others], metric).set_index("method")
    paired = paired.rename(columns={"low": "difference low", "high": "difference high"})
    return table.join(paired[[*DIFFERENCE, "p", "p (Holm)"]])


def as_text(table: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """An ablation table, ready for a page or a paper."""
    text = {
        f"test {metric.heading}": intervals(table[[metric.heading, "low", "high"]]),
        "validation": table["validation"].map("{:.2f}".format, na_action="ignore"),
        f"against {table.index[0]}": intervals(table[DIFFERENCE], sign="+"),
        "p": table["p"].map(p_text, na_action="ignore"),
        "p (Holm)": table["p (Holm)"].map(p_text, na_action="ignore"),
        "seeds": table["seeds"].astype(str),
        "n": table["n"].astype(str),
    }
    found = pd.DataFrame(text, dtype=object).fillna("")
    return found.rename_axis("arm").reset_index()


def sections(store: Store) -> Iterator[Section]:
    """Every ablation of every experiment for which a seed is finished, all such seeds together."""
    for name, experiment in store.recipe.experiments.items():
        metric = task_of(experiment.task).metric
        for kind, question in questions(experiment).items():
            if store.complete_seeds(name, stages_of({"": question})):
                table = ablation_table(store, name, question)
                said = f"{question.text} {sentence(table, metric)}"
                title = f"Ablation {name} {kind}"
                yield Section(title, said, table, as_text(table, metric), metric, question.text)


def sentence(table: pd.DataFrame, metric: Metric | str) -> str:
    """What an ablation table says, from its numbers: significant rows, and validation's choice."""
    metric = metric_of(metric)
    first, others = table.index[0], table.iloc[1:]
    said = []
    for (label, row), ahead in zip(others.iterrows(), is_better(others, metric), strict=True):
        if row["p (Holm)"] < LEVEL:
            verdict, p = "better" if ahead else "worse", p_text(row["p (Holm)"])
            found = with_interval(*row[DIFFERENCE], sign="+")
            said.append(f"{label} is {verdict} ({found} {metric.unit}, p {p})")
    text = f"Of these networks, compared with {first}: "
    text += "; ".join(said) if said else "nothing is told apart by these faces"
    if said and len(said) < len(others):
        text += "; the rest is not told apart"
    if table["validation"].notna().all():
        text += f". Validation prefers {preferred(table['validation'], metric)}"
    return text + "."
