"""How the numbers were made: faces, splits, and every run's code, device and time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from occkd_lib.config import Experiment
from occkd_lib.occlusion import view_title
from occkd_lib.results.choices import choice
from occkd_lib.results.kept import on_file
from occkd_lib.results.store import COARSE_ANSWERS, COPIES, Answers, Store
from occkd_lib.runs import environment


def protocol(store: Store) -> dict[str, Any]:
    """Recipe, faces, splits, and what every finished run says of itself; JSON-able."""
    made = {name: facts(store, name) for name in store.recipe.experiments if store.runs(name)}
    return {
        "recipe": store.recipe.model_dump(mode="json"),
        "report": environment(),
        "experiments": made,
    }


def facts(store: Store, name: str) -> dict[str, Any]:
    """Of an experiment with a finished run: faces, splits, choices, and every run's own status.

    What networks began with stands once, in ``initialisations``; a run has its place there.
    """
    experiment = store.recipe.experiment(name)
    runs = {key: run.status or {} for key, run in store.runs(name).items()}
    first = next(iter(runs.values()))
    test = [answers.faces for answers in store.answers(name)[:1]]
    began: list[Any] = []

    def without_copies(status: Mapping[str, Any]) -> dict[str, Any]:
        said = {key: value for key, value in status.items() if key != "config"}
        if "initialisation" in said:
            if said["initialisation"] not in began:
                began.append(said["initialisation"])
            said["initialisation"] = began.index(said["initialisation"])
        return said

    return {
        "data": experiment.data.model_dump(mode="json"),
        "label_rule": getattr(experiment.data, "labels", None),
        "faces_fingerprint": first["config"].get("faces"),
        "n": first.get("n"),
        "test_faces_that_duplicate_train": sum(int(faces[COPIES[0]].sum()) for faces in test),
        "test_faces_that_nearly_copy_train": sum(int(faces[COPIES[1]].sum()) for faces in test),
        "choices": {stage: choice(store, name, stage) for stage in tuned(experiment)},
        "runs": {
            f"seed{seed}/{stage}": without_copies(status) for (seed, stage), status in runs.items()
        },
        "initialisations": began,
    }


def faces_table(store: Store) -> pd.DataFrame:
    """One column an experiment with a finished run: whose faces, how many, copies, what is seen."""
    columns = {}
    for name, experiment in store.recipe.experiments.items():
        if not store.runs(name):
            continue
        columns[name] = {
            **faces_in(facts(store, name)),
            "visible": view_title(experiment.visible),
            "network": experiment.network.name,
        }
    return pd.DataFrame(columns)


def faces_in(known: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``facts``, in words: whose faces, how many, copies."""
    return {
        "data": known["data"]["name"],
        "label rule": known["label_rule"] or "",
        **{split: (known["n"] or {}).get(split, "") for split in ("train", "val", "test")},
        "test faces identical to a training face": known["test_faces_that_duplicate_train"],
        "or nearly so": known.get("test_faces_that_nearly_copy_train", ""),
        "fingerprint": known["faces_fingerprint"],
    }


def reference_faces(recipe: str) -> pd.DataFrame:
    """``faces_table`` of the results that came with the book; OcckdError for none."""
    path = on_file(f"{recipe}/protocol.json", f"occkd results {recipe} --reference")
    experiments = json.loads(path.read_text())["experiments"]
    return pd.DataFrame({name: faces_in(known) for name, known in experiments.items()})


def finished_table(store: Store) -> pd.DataFrame:
    """One row an experiment of the recipe: finished runs, complete seeds, and what is missing.

    Columns: runs ("20 of 21"), complete seeds, missing (by seed), to get it (the command).
    """
    rows = {}
    for name, experiment in store.recipe.experiments.items():
        stages, seeds = experiment.order(), sorted({*experiment.seeds, *store.seeds(name)})
        done = store.runs(name)
        gaps = {seed: [stage for stage in stages if (seed, stage) not in done] for seed in seeds}
        whole = [str(seed) for seed, missing in gaps.items() if not missing]
        rows[name] = {
            "runs": f"{len(done)} of {len(stages) * len(seeds)}",
            "complete seeds": ", ".join(whole) or "none",
            "missing": (missing := in_words(gaps, stages)),
            "to get it": missing and store.recipe.command(name),
        }
    return pd.DataFrame(rows).T.rename_axis("experiment")


def in_words(gaps: Mapping[int, Sequence[str]], stages: Sequence[str]) -> str:
    """What each seed lacks of ``stages``: ``seeds 0, 1: all; seed 2: fusion``."""
    alike: dict[str, list[str]] = {}
    for seed, gap in gaps.items():
        what = "all" if len(gap) == len(stages) else ", ".join(gap)
        alike.setdefault(what, []).append(str(seed))
    said = ((f"seed{'s' * (len(s) > 1)} {', '.join(s)}", what) for what, s in alike.items() if what)
    return "; ".join(": ".join(both) for both in said)


def tuned(experiment: Experiment) -> list[str]:
    """The stages that were chosen among arms."""
    return [stage for stage in experiment.stages if experiment.tuned_arms(stage)]


def stage_table(store: Store) -> pd.DataFrame:
    """One row per experiment and finished stage, all its seeds together.

    Columns: experiment, stage, epochs, lr (of the run), device, seeds, selected (mean epoch kept,
    from 1), minutes (all seeds).
    """
    rows = []
    for name in store.recipe.experiments:
        for (seed, stage), run in store.runs(name).items():
            status = run.status or {}
            settings = status["config"]["settings"]
            rows.append(
                {
                    "experiment": name,
                    "stage": stage,
                    "seeds": seed,
                    "epochs": settings.get("epochs", ""),  # a fusion has none
                    "lr": settings.get("lr", ""),
                    "selected": 1 + status.get("selected_epoch", np.nan),
                    "minutes": status["wall_seconds"] / 60,
                    "device": status["environment"]["device"],
                }
            )
    keys = ["experiment", "stage", "epochs", "lr", "device"]
    how = {"seeds": "count", "selected": "mean", "minutes": "sum"}
    table = pd.DataFrame(rows, columns=[*keys, *how])
    return table.groupby(keys, sort=False).agg(how).round(2).reset_index()


def every_prediction(answers: Sequence[Answers]) -> pd.DataFrame:
    """One row per (face, seed, row, view): seed, row, train_faces, test_faces, id, target,
    prediction (years to hundredths), duplicate_of_train, near_copy_of_train; with networks that
    have a coarse stream also COARSE_ANSWERS, missing where a network has none."""
    parts = [
        found.faces.assign(
            seed=seed,
            prediction=brief(prediction),
            **found.place,
            **{c: values.astype("Int8") for c, values in found.coarse.get(seed, {}).items()},
        )
        for found in answers
        for seed, prediction in found.predictions.items()
    ]
    columns = [
        "seed", "row", "train_faces", "test_faces", "id", "target", "prediction", *COPIES,
        *(COARSE_ANSWERS if any(found.coarse for found in answers) else ()),
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[columns]


def brief(prediction: np.ndarray) -> np.ndarray:
    """Classes as they are; years rounded, which makes their file a third as large."""
    whole = np.issubdtype(prediction.dtype, np.integer)
    return prediction if whole else prediction.round(2).astype(np.float32)
