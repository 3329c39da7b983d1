"""One setting over its values: the curves of Fig. 3 of emotional education, from ablations.

``ablations`` compares arms one by one; where an ablation varies one number alone, its arms are
points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment, arm_name
from occkd_lib.errors import OcckdError
from occkd_lib.results.ablations import value_of
from occkd_lib.results.crossed_table import answers_by_seed, differences, scores
from occkd_lib.results.differences import LEVEL, preferred
from occkd_lib.results.store import Store
from occkd_lib.stages import stage_of
from occkd_lib.tasks import Metric
from occkd_lib.tasks.metrics import metric_of

LOW_HIGH = ("low", "high")


def sweep(
    store: Store,
    experiment: str,
    ablation: str,
    metric: Metric | str,
    seeds: Sequence[int] | None = None,
) -> pd.DataFrame:
    """One setting over its values: a row an arm of the recipe's ablation, in their order.

    Index: values of the setting, which names it. Columns: validation; the test metric, low, high;
    difference to the recipe's own value with difference low, high, p, p (Holm); own (is it the
    recipe's?), seeds. A last row "control": the matched control of that length. Raises OcckdError
    where arms differ in more than one number, or no seed has all.
    """
    metric, chosen = metric_of(metric), store.recipe.experiment(experiment)
    setting, places = values_of(chosen, ablation)
    by_value = dict(sorted((value, stage) for stage, value in places.items() if value is not None))
    own = next(value for value in places.values() if value is not None)
    asked = {str(value): stage for value, stage in by_value.items()}
    asked |= dict(zip(["control"], (s for s, v in places.items() if v is None), strict=False))
    labels = list(asked)
    views = {label: (stage, stage_of(chosen, stage).view) for label, stage in asked.items()}
    test, val = (
        answers_by_seed(store, experiment, views, split=split, seeds=seeds)
        for split in ("test", "val")
    )
    table = scores(test, metric).drop(columns="n")
    others = [label for label in labels if label != str(own)]
    against = differences(test, [(label, str(own)) for label in others], metric)
    against = against.set_index("method")[["difference", "low", "high", "p", "p (Holm)"]]
    table = table.join(against.rename(columns=lambda c: f"difference {c}" if c in LOW_HIGH else c))
    held_out = [
        [metric(t["target"], t[label]) if len(t) else np.nan for t in val.values()]
        for label in labels
    ]
    table.insert(0, "validation", (metric.factor * np.mean(held_out, axis=1)).round(2))
    table.insert(1, "own", [label == str(own) for label in labels])
    index = [*by_value, *(label for label in labels if label == "control")]
    return table.set_axis(pd.Index(index, name=setting, dtype=object))


def values_of(experiment: Experiment, ablation: str) -> tuple[str, dict[str, float | None]]:
    """The one setting that the arms of an ablation vary, and stage -> its value, the recipe's
    first; None for the control. Raises OcckdError where more is varied, or no number."""
    asked = experiment.ablations[ablation]
    first, *others = asked.arms
    varied = {key for arm in others for key in arm if arm[key] != first.get(key)}
    if len(varied) != 1:
        raise OcckdError(f"ablations.{ablation}: varies {sorted(varied)}, not one setting")
    setting, places = varied.pop(), {}
    stages = experiment.ablation_stages(asked)
    for stage, arm in zip(stages, asked.arms, strict=False):
        value = value_of(experiment, arm_name(asked.stage, arm), setting)
        if not isinstance(value, int | float):
            raise OcckdError(f"ablations.{ablation}: {setting} is {value!r}, no number")
        places[stage] = value
    return setting, places | dict.fromkeys(stages[len(asked.arms) :])


NEAR_CHANCE = 1.5  # times as good as guessing: below that, arms have learnt too little to differ


def sweep_sentence(
    table: pd.DataFrame, metric: Metric | str, *, chance: float | None = None
) -> str:
    """What a sweep says, from its numbers: which values are told apart from the recipe's own.

    chance: what guessing reaches, in the metric's unit; no verdict on arms that are near it.
    """
    metric, setting = metric_of(metric), table.index.name
    arms = table.drop(index="control", errors="ignore")
    own = arms.index[arms["own"].astype(bool)][0]
    reached = arms.loc[own, metric.heading]
    if chance is not None and reached < NEAR_CHANCE * chance:
        return (
            f"{setting}: with the recipe's own value, {own}, {reached:.1f}{metric.mark} "
            f"is near chance ({chance:.1f}): no verdict."
        )
    told = arms[arms["p (Holm)"] < LEVEL]
    lines = [
        f"{value} is {'better' if metric.sign * row['difference'] > 0 else 'worse'}"
        for value, row in told.iterrows()
    ]
    text = f"{setting}: against {own}, " + (
        ", ".join(lines) if lines else "no other value is told apart"
    )
    if arms["validation"].notna().all():
        text += f"; validation prefers {preferred(arms['validation'].astype(float), metric)}"
    return text + "."
