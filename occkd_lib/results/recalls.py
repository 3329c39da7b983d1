"""Class by class: how many faces of each class are recognised, over seeds and faces.

Fine classes from the predictions; coarse ones (positive, negative, neutral, surprise) from the
coarse stream of networks that have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm
from occkd_lib.evaluation.crossed import crossed
from occkd_lib.losses.coarse_fine import COARSE
from occkd_lib.results.store import COPIES, Store, data_name
from occkd_lib.results.text import Section, intervals, p_text
from occkd_lib.stages import graph, stage_of
from occkd_lib.stages.networks import classes_of
from occkd_lib.tasks import task_of
from occkd_lib.training.predictions import COARSE_PREDICTION, COARSE_TARGET, NETWORK

COLUMNS = [
    "stage", "class", "n", "seeds", "recall", "low", "high",
    "against", "difference", "difference low", "difference high", "p",
]  # fmt: skip


def recalls(
    store: Store,
    experiment: str,
    stages: Sequence[str],
    *,
    coarse: bool = False,
    data: str | None = None,
    seeds: Sequence[int] | None = None,
) -> pd.DataFrame:
    """One row a (stage, class): recall in per cent, and the difference to the stage's control.

    stages: names of stages (or arms) of the experiment. coarse: of the coarse stream's classes;
    a control that never saw coarse labels (lam_c: 0) is none there.
    data: another data set of ``test_on``. seeds: None for those that have all the stages and
    their controls. Columns: COLUMNS and "p (Holm)", whose family is the table. Intervals and p:
    seeds and faces both random (``evaluation.crossed``); NaN for a class of less than two faces.
    """
    chosen = store.recipe.experiment(experiment)
    controls = {stage: control_for(chosen, stage, coarse=coarse) for stage in stages}
    needed = dict.fromkeys([*stages, *filter(None, controls.values())])
    seeds = store.complete_seeds(experiment, list(needed)) if seeds is None else seeds
    if not seeds:
        missing = ", ".join(needed)
        where = f"{store.recipe.name}/{experiment}"
        raise OcckdError(f"{where}: no seed has all of {missing}: run them")
    classes = COARSE if coarse else classes_of(chosen)
    answers = {
        stage: right_answers(store, experiment, stage, seeds, coarse=coarse, data=data)
        for stage in needed
    }
    lines = []
    for stage, control in controls.items():
        truth, right = answers[stage]
        other = answers[control][1] if control else None
        for k, name in enumerate(classes):
            here = truth == k
            n = int(here.sum())
            line: dict[str, object] = {"stage": stage, "class": name, "n": n, "seeds": len(seeds)}
            if n > 1:
                found = crossed(100 * right[:, here]).within(0, 100)
                line |= {"recall": found.difference, "low": found.low, "high": found.high}
                if other is not None:
                    gap = crossed(100 * (right[:, here] - other[:, here]))
                    line |= {
                        "against": control, "difference": gap.difference,
                        "difference low": gap.low, "difference high": gap.high, "p": gap.p,
                    }  # fmt: skip
            lines.append(line)
    table = pd.DataFrame(lines, columns=COLUMNS)
    return table.assign(**{"p (Holm)": holm(table["p"].to_numpy(float))})


def control_for(experiment: Experiment, stage: str, *, coarse: bool = False) -> str | None:
    """The matched control of a stage; None for coarse answers if it never saw a coarse label."""
    control = experiment.control_of(stage)
    if control and coarse and not getattr(experiment.settings(control), "lam_c", 1):
        return None
    return control


def right_answers(
    store: Store,
    experiment: str,
    stage: str,
    seeds: Sequence[int],
    *,
    coarse: bool = False,
    data: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Targets N, and what a stage's network gets right of the test faces, S x N of 0 and 1."""
    rows = [
        answers_by_face(store, experiment, stage, seed, coarse=coarse, data=data) for seed in seeds
    ]
    truth, said = columns(coarse)
    right = [(each[said] == each[truth]).to_numpy(float) for each in rows]
    return rows[-1][truth].to_numpy(), np.stack(right)


def columns(coarse: bool) -> tuple[str, str]:
    """What predictions call the target and the answer."""
    return (COARSE_TARGET, COARSE_PREDICTION) if coarse else ("target", "prediction")


def answers_by_face(
    store: Store,
    experiment: str,
    stage: str,
    seed: int,
    *,
    coarse: bool = False,
    data: str | None = None,
) -> pd.DataFrame:
    """One row a test face, by id: COPIES, and ``columns(coarse)``.

    Raises OcckdError for a stage that is not finished, or was not asked.
    """
    chosen = store.recipe.experiment(experiment)
    view, where = stage_of(chosen, stage).view, data or data_name(chosen.data)
    run = store.run(experiment, seed, stage)
    if run is None:
        raise OcckdError(f"{experiment}, seed {seed}: {stage} is not finished: run it first")
    rows = store.predictions(experiment, run).get((where, "test", view, NETWORK))
    wanted = [*COPIES, *columns(coarse)]
    if rows is None or not set(wanted) <= set(rows) or rows[wanted].isna().any(axis=None):
        what = "coarse answers" if coarse else f"answers to {where}"
        raise OcckdError(f"{run.folder} has no {what}")
    return rows[wanted]


SENTENCE = (
    "How many faces of each class are recognised, and how many more or less than by the control. "
    "Equal accuracy can hide a trade: one class recognised more often, another less. Seeds and "
    "faces are random; the intervals are those of single differences, and p is by Holm's rule over "
    "the whole table."
)


def sections(store: Store) -> Iterator[Section]:
    """Class by class, of every experiment whose stages are compared with a control, where a seed
    has all of them."""
    for name, experiment in store.recipe.experiments.items():
        stages = [s for s in graph(experiment) if control_for(experiment, s)]
        if not task_of(experiment.task).softmax or not stages:
            continue
        try:
            table = recalls(store, name, stages)
        except OcckdError:  # not finished yet, or tested on fewer faces
            continue
        gap = ["difference", "difference low", "difference high"]
        text = pd.DataFrame({
            "stage": table["stage"], "class": table["class"], "n": table["n"].astype(str),
            "seeds": table["seeds"].astype(str),
            "recall, %": intervals(table[["recall", "low", "high"]]),
            "against": table["against"].fillna(""),
            "difference, points": intervals(table[gap], sign="+"),
            "p": table["p"].map(p_text, na_action="ignore").fillna(""),
            "p (Holm)": table["p (Holm)"].map(p_text, na_action="ignore").fillna(""),
        })  # fmt: skip
        yield Section(f"Recalls {name}", SENTENCE, table, text)
