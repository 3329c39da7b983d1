"""What was chosen on validation, among which arms: the records of ``stages.tuning``."""

from __future__ import annotations

import json
from statistics import mean

import pandas as pd

from occkd_lib.config.arms import MARK
from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root
from occkd_lib.results.store import Store
from occkd_lib.stages.tuning import CHOICES
from occkd_lib.tasks import task_of


def choices(store: Store, experiment: str) -> pd.DataFrame:
    """A row an arm: stage, arm (its settings), validation (mean over the tuning seeds, per cent or
    years), chosen. Without rows where nothing was chosen yet."""
    chosen = store.recipe.experiment(experiment)
    metric, rows = task_of(chosen.task).metric, []
    for stage in chosen.order():
        record = choice(store, experiment, stage)
        for arm, by_seed in record.get("validation", {}).items():
            settings = arm.partition(MARK)[2].replace(",", ", ")
            value = metric.sign * metric.factor * mean(by_seed.values())
            rows.append((stage, settings, round(value, 2), arm == record["chosen"]))
    return pd.DataFrame(rows, columns=["stage", "arm", "validation", "chosen"])


def choice(store: Store, experiment: str, stage: str) -> dict:
    """The record of one stage's choice; {} where there is none. OcckdError for a damaged one."""
    path = outputs_root() / store.recipe.name / experiment / CHOICES / f"{stage}.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OcckdError(f"{path}: not a record of a choice ({error}): delete it") from None
