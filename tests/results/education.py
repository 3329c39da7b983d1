"""A tiny emotional education: its stages, and runs with fine and coarse answers made up here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from occkd_lib.config import Recipe
from occkd_lib.losses.coarse_fine import OF
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages import stage_of
from occkd_lib.stages.networks import classes_of
from occkd_lib.stages.run import decides
from occkd_lib.training.predictions import COARSE_PREDICTION, COARSE_TARGET

FIT = {"epochs": 2, "lr": 0.1, "select": "last"}
COARSE_OF = {"contempt": "negative"} | OF
KINDS = ("positive", "negative", "neutral", "surprise")


def stages(fine: dict, two: dict, shared: dict) -> dict:
    """Those of Tables II to IV that a test needs; fine, two, shared: networks."""
    loss = {"name": "cross_entropy", "weight": 5}
    alone = {**FIT, "method": "teacher", "network": {**fine, "streams": "fine"}}
    ktn = {**FIT, "method": "ktn", "network": {**two, "streams": "two"}}
    one = {**shared, "streams": "shared"}
    return {
        "adareg": {**alone, "title": "AdaReg", "loss": "adareg"},
        "focal": {**alone, "title": "focal loss", "loss": "focal"},
        "softmax": {**alone, "title": "softmax", "of": ["adareg", "focal"], "loss": loss},
        "ktn": {**ktn, "title": "KTN", "loss": "adareg"},
        "two_trunks": {
            **ktn, "title": "two trunks", "of": ["ktn"], "loss": loss, "lam_c": 0,
        },
        "stsn": {**FIT, "method": "stsn", "title": "STSN", "start": None, "network": one},
        "stsn_alone": {
            **FIT, "method": "ktn", "title": "STSN without teacher", "of": ["stsn"],
            "network": one, "loss": {"name": "cross_entropy", "weight": 3}, "lam_c": 1,
        },
    }  # fmt: skip


def experiment(data: dict, *, paper: bool = False, test_on: Sequence[dict] = ()) -> dict:
    """paper: with the paper's networks."""
    names = ("resnet18", "resnet50", "resnet18") if paper else ("compact",) * 3
    networks = [{"name": name} for name in names]
    return {
        "data": data,
        "test_on": list(test_on),
        "task": "expression",
        "network": networks[0],
        "stages": stages(*networks),
    }


def make_recipe(name: str = "small", **experiments: dict) -> Recipe:
    """Experiments by their names."""
    return Recipe.model_validate(
        {"name": name, "description": "made up", "experiments": experiments}
    )


def write_run(
    recipe: Recipe,
    name: str,
    stage: str,
    wrong: Sequence[int] = (),
    *,
    seed: int = 0,
    data: Sequence[str] | None = None,
    each: int = 4,
    coarse_wrong: Sequence[int] = (),
    copies: int = 0,
) -> Run:
    """A finished run; of the test faces (``each`` a class, class after class) it gets ``wrong``
    wrong, and the coarse classes of ``coarse_wrong``. The first ``copies`` are in train, too."""
    chosen = recipe.experiments[name]
    what = stage_of(chosen, stage)
    run = Run.open(
        run_folder(recipe.name, name, seed, stage),
        {**decides(chosen, what), "seed": seed, "faces": "abc"},
    )
    run.start()
    classes = classes_of(chosen)
    target = np.repeat(np.arange(len(classes)), each)
    prediction = target.copy()
    prediction[list(wrong)] = (target[list(wrong)] + 1) % len(classes)
    parts = [
        pd.DataFrame(
            {
                "id": [f"{i:04d}" for i in range(len(target))], "target": target,
                "prediction": prediction, "data": where, "split": "test", "view": what.view,
                "row": "", "duplicate_of_train": np.arange(len(target)) < copies,
                "near_copy_of_train": False, "score_0": 0.0,
            }
        )
        for where in (data or [chosen.data.name])
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    if what.network.has_coarse:
        kinds = np.array([KINDS.index(COARSE_OF[classes[k]]) for k in target])
        said = kinds.copy()
        said[list(coarse_wrong)] = (kinds[list(coarse_wrong)] + 1) % 4
        table[COARSE_TARGET] = np.tile(kinds, len(parts))
        table[COARSE_PREDICTION] = np.tile(said, len(parts))
    run.save_table("predictions.parquet", table)
    run.finish(n={"train": 100, "val": 0, "test": len(target)}, selected_epoch=1)
    return run
