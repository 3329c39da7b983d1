"""What a recipe will cost before it starts: runs, epochs, floating-point operations, hours."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import torch

from occkd_lib.config import DataSettings, Experiment, Recipe, TripletSettings, tuned_arms
from occkd_lib.models.cost import Cost, network_cost
from occkd_lib.runs import Run, fingerprint, run_folder
from occkd_lib.training.device import Compute
from occkd_lib.training.networks import outputs_of
from occkd_lib.training.stages import STAGES, deciding, needs, parse_stage, settings_of

# (training, validation) faces: FER+ by label rule, UTKFace as its readable names give it, the
# journal's AffectNet, RAF-DB less the tenth that is held out
FACES = {
    ("ferplus", "majority"): (25_045, 3_191),
    ("ferplus", "crossentropy"): (27_947, 3_191),
    ("ferplus", "probability"): (27_947, 3_191),
    ("ferplus", "multi_target"): (27_667, 3_191),
    ("utkface", None): (14_223, 4_741),
    ("affectnet", None): (88_021, 0),
    ("rafdb", None): (11_044, 1_227),
}
BUILT_IN = (0.6, 0.2)  # shares of the built-in faces
RATE_SECONDS = 0.5


def faces_to_see(data: DataSettings) -> tuple[int, int]:
    """How many training and validation faces a data set has, without reading it."""
    if data.name == "synthetic":
        from occkd_lib.data.registry import BUILT_IN_FACES

        count = data.faces or BUILT_IN_FACES
        return round(BUILT_IN[0] * count), round(BUILT_IN[1] * count)
    return FACES[data.name, data.labels]


def all_stages(experiment: Experiment, seed: int) -> tuple[str, ...]:
    """Every stage that the book runs for an experiment and seed, arms included."""
    half = "lower" if experiment.visible == "upper" else "upper"
    stages: list[str] = []
    for stage in STAGES:
        if stage != f"student_{half}" or experiment.both_halves:
            stages += tuned_arms(experiment, stage) or (stage,)
    for ablation in experiment.ablations_of(seed).values():
        stages += [stage for stage in ablation.stages() if not tuned_arms(experiment, stage)]
    return tuple(dict.fromkeys(stages))


def stage_flop(experiment: Experiment, stage: str, cost: Cost) -> float:
    """FLOP of training one stage: the faces, validation, the cached teacher, the mining pass.

    A triplet has two faces that go through the student (Eq. 4). SVMs are not counted.
    """
    base, settings = parse_stage(stage)[0], settings_of(experiment, stage)
    if base == "fusion":
        return 0.0
    train, val = faces_to_see(experiment.data)
    epoch = train * cost.training + val * cost.forward
    if isinstance(settings, TripletSettings):
        epoch += train * (cost.training + cost.forward)
    teacher = 2 * train * cost.forward if base in ("standard", "triplet") else 0.0
    return settings.epochs * epoch + teacher  # type: ignore[union-attr]


def estimate(
    recipe: Recipe, experiments: Sequence[str] = (), seeds: Sequence[int] = ()
) -> pd.DataFrame:
    """One row an experiment: runs, epochs and pflop of what is not done yet.

    experiments, seeds: these instead of all. A run that two experiments share counts once, for the
    first of them. Index: the experiments' names. Columns: runs, epochs, pflop.
    """
    counted: set[str] = set()
    rows = {}
    for name in experiments or recipe.experiments:
        chosen = recipe.experiment(name)
        net = chosen.network
        cost = network_cost(
            net.name, outputs_of(chosen),
            input_size=net.input_size, channels=net.channels, width=net.width,
        )  # fmt: skip
        row = {"runs": 0, "epochs": 0, "pflop": 0.0}
        for seed in seeds or chosen.seeds:
            for stage in all_stages(chosen, seed):
                key = identity(chosen, seed, stage)
                if key in counted or Run(run_folder(recipe.name, name, seed, stage)).done:
                    continue
                counted.add(key)
                row["runs"] += 1
                row["epochs"] += getattr(settings_of(chosen, stage), "epochs", 0)
                row["pflop"] += stage_flop(chosen, stage, cost) / 1e15
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def identity(experiment: Experiment, seed: int, stage: str) -> str:
    """What makes a run itself, as its fingerprint does, but without looking at any face."""
    parents = [identity(experiment, seed, parent) for parent in needs(experiment, stage)]
    return fingerprint([seed, deciding(experiment, stage), parents])


def matrix_rate(precision: str) -> float:
    """FLOP per second of large matrix products on the device found, in ``precision``; measured.

    A ceiling: training reaches a part of it.
    """
    device = Compute.best("fp32").device
    size = 8192 if device.type == "cuda" else 1024
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a = torch.randn(size, size, device=device, dtype=kind)

    def finish() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    a @ a  # the first product prepares the device
    begun, products = finish(), 0
    while (now := finish()) - begun < RATE_SECONDS:
        a @ a
        products += 1
    return products * 2 * size**3 / (now - begun)
