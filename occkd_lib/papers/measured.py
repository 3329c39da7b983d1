"""A network's answers in the metrics of emotional education, with intervals, and its control's.

accuracy; average, the mean of the classes' recalls; recall_<class>; coarse_<class>: all in per
cent. Intervals and p: seeds and faces both random (``evaluation.crossed``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from occkd_lib.config import Experiment
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation.crossed import OverSeeds, crossed
from occkd_lib.losses.coarse_fine import COARSE
from occkd_lib.results.recalls import answers_by_face, columns
from occkd_lib.results.store import COPIES, Store
from occkd_lib.results.summary import OFFICIAL, WITHOUT_COPIES
from occkd_lib.results.text import p_text, with_interval
from occkd_lib.stages.networks import classes_of


class Scored(NamedTuple):
    """What a network gets right. target: N, class indices. right: seed -> N of 0 and 100. copies: N
    bool, faces that are in train, too."""

    target: np.ndarray
    right: dict[int, np.ndarray]
    copies: np.ndarray


def scored(store: Store, name: str, stage: str, *, coarse: bool, data: str) -> Scored | None:
    """All finished seeds of a stage that answered the test faces of ``data``; None without any."""
    right, rows = {}, None
    truth, said = columns(coarse)
    for seed in store.complete_seeds(name, [stage]):
        try:
            rows = answers_by_face(store, name, stage, seed, coarse=coarse, data=data)
        except OcckdError:  # made before test_on named that data set, or without a coarse stream
            continue
        right[seed] = 100 * (rows[said] == rows[truth]).to_numpy(float)
    if rows is None:
        return None
    return Scored(rows[truth].to_numpy(), right, rows[COPIES].any(axis=1).to_numpy())


def results(
    experiment: Experiment, metrics: list[str], ours: Scored | None, control: Scored | None
) -> Iterator[tuple[str, str, dict]]:
    """(metric as in the CSV, subset, what ``measured`` says) of one stage on one data set."""
    if ours is None:
        return
    subsets = {OFFICIAL: np.ones(len(ours.target), bool)}
    if ours.copies.any():
        subsets[WITHOUT_COPIES] = ~ours.copies
    for subset, faces in subsets.items():
        for metric in metrics:
            kept, groups = part(experiment, metric, ours.target)
            line = measured(ours, control, faces & kept, groups)
            if line:
                yield metric, subset, line


def part(experiment: Experiment, metric: str, target: np.ndarray) -> tuple[np.ndarray, bool]:
    """Which faces a metric is about (N bool), and whether it is a mean of class means."""
    kind, _, name = metric.removesuffix("_pct").partition("_")
    if kind not in ("recall", "coarse"):
        return np.ones(len(target), bool), metric == "average_pct"
    classes = COARSE if kind == "coarse" else classes_of(experiment)
    return target == (classes.index(name) if name in classes else -1), False


def measured(ours: Scored, control: Scored | None, faces: np.ndarray, by_class: bool) -> dict:
    """Numbers as text, mean and p as numbers; {} where there are less than two faces.

    Keys: mean, ours, 95 % interval, n, seeds; with a control and seeds in common, also difference
    to control, p vs control, p. faces: N bool. by_class: a mean of class means.
    """
    if faces.sum() < 2:
        return {}
    groups = ours.target[faces] if by_class else None

    def over(values: list[np.ndarray]) -> OverSeeds:
        return crossed(np.stack([each[faces] for each in values]), groups)

    found = over(list(ours.right.values())).within(0, 100)
    each = [over([right]).difference for right in ours.right.values()]
    spread = f" ± {np.std(each, ddof=1):.2f}" if len(each) > 1 else ""
    line: dict = {
        "mean": found.difference,
        "ours": f"{found.difference:.2f}{spread}",
        "95 % interval": f"[{found.low:.2f}, {found.high:.2f}]",
        "n": str(int(faces.sum())),
        "seeds": str(found.seeds),
    }
    both = [seed for seed in ours.right if control and seed in control.right]
    if control and both:
        gap = over([ours.right[seed] - control.right[seed] for seed in both])
        said = with_interval(gap.difference, gap.low, gap.high, sign="+")
        if gap.seeds != found.seeds:
            line["seeds"] += f" (difference: {gap.seeds})"
        line |= {"difference to control": said, "p vs control": p_text(gap.p), "p": gap.p}
    return line
