"""Which arm of a tuned stage is best on validation, with seeds that are never reported.

<outputs>/<recipe>/<experiment>/choices/<stage>.json    every arm's validation, and the choice
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

from occkd_lib.config import Experiment
from occkd_lib.project import outputs_root, write_json
from occkd_lib.runs import Run

CHOICES = "choices"


def choose_arm(
    recipe: str, experiment: Experiment, name: str, stage: str, run: Callable[[int, str], Run]
) -> str:
    """The arm of ``stage`` whose validation metric is best, on average over the tuning seeds.

    recipe, name: of the record's folder. run: (seed, arm) -> finished run. Of equal arms the first
    wins. Nothing but ``validation_metric`` of the runs is looked at, which no test face enters.
    """
    found: dict[str, dict[int, float]] = {
        arm: {
            seed: (run(seed, arm).status or {})["validation_metric"]
            for seed in experiment.tuning_seeds
        }
        for arm in experiment.tuned_arms(stage)
    }
    best = max(found, key=lambda arm: mean(found[arm].values()))
    record: dict[str, Any] = {
        "stage": stage, "chosen": best, "tuning_seeds": experiment.tuning_seeds,
        "validation": found,
    }  # fmt: skip
    write_json(outputs_root() / recipe / name / CHOICES / f"{stage}.json", record)
    return best
