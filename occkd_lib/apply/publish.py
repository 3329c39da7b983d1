"""From a finished run to a folder that describes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import occkd_lib
from occkd_lib.apply import measured
from occkd_lib.apply.calibration import (
    coverage,
    errors_of,
    expected_calibration_error,
    fit_temperature,
    log_loss,
)
from occkd_lib.apply.facts import Beginning, Calibration, Crop, Data, Facts, Origin, Result
from occkd_lib.apply.licences import licence_of
from occkd_lib.apply.model import FaceModel, probabilities, rounded, save_model
from occkd_lib.apply.tensors import Dtype
from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet, data_set
from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings
from occkd_lib.results import title_of
from occkd_lib.results.store import Store, data_name, open_store
from occkd_lib.runs import Run
from occkd_lib.stages import rows_of, stage_of
from occkd_lib.stages.networks import classes_of, faces_of, load_network, outputs_of
from occkd_lib.tasks import task_of

STYLES = {"ferplus": "ferplus", "utkface": "utkface"}  # of the crop; any other is a "folder"
BATCH = 256
NEAR = 0.5  # answers closer than this, in years or in numbers of classes, are called the same


def publish(
    recipe: str | Path,
    experiment: str,
    seed: int,
    stage: str,
    destination: str | Path,
    *,
    dtype: Dtype = "fp16",
) -> Path:
    """Write the network of a finished stage (or arm), and all that is known of it, to a folder.

    recipe: its name or file. Temperature (or the size of errors) comes from the validation faces,
    with the network as it is stored; results from the predictions of every finished seed. Needs
    the data. Raises OcckdError for a run that is not finished, is no network, or saw other faces
    than there are now.
    """
    store = open_store(recipe)
    chosen = store.recipe.experiment(experiment)
    run, config = finished(store, experiment, seed, stage)
    faces = faces_of(chosen)
    if faces.fingerprint() != config["faces"]:
        raise OcckdError(f"{run.folder} saw other faces than lie there now: run it again")
    network = NetworkSettings.model_validate(config["network"])
    net = load_network(network, outputs_of(chosen), run)
    facts = described(store, experiment, seed, stage, run, faces)
    model = rounded(net, facts, dtype)
    facts = facts.model_copy(update=checked(model, faces, run))
    found = measured.results_of(store, experiment, stage, faces.split("test"))
    facts = facts.model_copy(update={"results": (*facts.results, *found)})
    save_model(destination, net, facts, dtype=dtype)
    return Path(destination)


def finished(store: Store, experiment: str, seed: int, stage: str) -> tuple[Run, dict[str, Any]]:
    """The finished run of a stage that trains a network, and its protocol; OcckdError for none."""
    what = stage_of(store.recipe.experiment(experiment), stage)
    if not what.method.makes_network:
        raise OcckdError(f"{stage} is no network but a machine on several: publish one of those")
    run = store.run(experiment, seed, stage)
    if run is None:
        where = f"{store.recipe.name} {experiment} {seed} {stage}"
        raise OcckdError(f"{stage} of seed {seed} is not finished: run 'occkd stage {where}'")
    return run, (run.status or {})["config"]


def described(
    store: Store, experiment: str, seed: int, stage: str, run: Run, faces: FaceSet
) -> Facts:
    """All that needs no computing."""
    chosen, status = store.recipe.experiment(experiment), run.status or {}
    config, began = status["config"], status["initialisation"]
    channels, height, width = faces.images.shape[1:]
    if height != width:
        raise OcckdError(f"faces are {width} x {height}: only square ones can be published")
    known, row = data_set(chosen.data.name), row_of(chosen, stage)
    source = Path(began["source"]).name
    network = {**config["network"], "init": source}  # no folder of the publisher's machine
    made_by = status.get("environment") or {}
    return Facts.model_validate(
        {
            "title": f"{row['title']}: {chosen.task}, {config['view']} face, {known.title}",
            "network": network,
            "outputs": outputs_of(chosen),
            "beginning": {**{k: began[k] for k in Beginning.model_fields}, "source": source},
            "task": chosen.task,
            "classes": classes_of(chosen),
            "visible": config["view"],
            "trained_on": row["trained_on"],
            "crop": Crop(size=height, channels=channels, style=STYLES.get(known.name, "folder")),
            "data": Data(
                name=data_name(chosen.data), title=known.title,
                settings=without_folders(
                    # what nobody set must not count as set when it is read again
                    chosen.data.model_dump(mode="json", exclude_unset=True)
                ),
                label_rule=faces.label_rule, label_share=config["settings"].get("label_share"),
                fingerprint=config["faces"], n=status["n"],
            ),
            "origin": Origin(
                recipe=store.recipe.name, experiment=experiment, stage=stage, seed=seed,
                fingerprint=run.fingerprint, library_version=occkd_lib.__version__,
                library_hash=made_by.get("library_hash"), git_commit=made_by.get("git_commit"),
            ),
            "licence": licence_of(known.name, began["source"]),
        }
    )  # fmt: skip


def without_folders(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of data; a path that only the publisher's machine has keeps its last part."""
    paths = {k: v for k, v in settings.items() if isinstance(v, str) and Path(v).is_absolute()}
    return {**settings, **{name: Path(path).name for name, path in paths.items()}}


def row_of(experiment: Experiment, stage: str) -> dict[str, Any]:
    """Title and views of a stage in the tables; of an arm those of its stage."""
    what, task = stage_of(experiment, stage), task_of(experiment.task)
    row = next(row for row in rows_of(experiment).values() if row.stage == what.name)
    return {"title": title_of(row, task), "trained_on": what.method.trained_on(what)}  # type: ignore[attr-defined]


def checked(model: FaceModel, faces: FaceSet, run: Run) -> dict[str, Any]:
    """calibration, agreement with the run, and results of the very network that is stored."""
    task = task_of(model.facts.task)
    val, test = faces.split("val"), faces.split("test")
    heard, said = outputs(model, val), outputs(model, test)
    if task.continuous:
        calibration = errors_of(heard, val.targets)
    else:
        temperature = fit_temperature(heard, val.targets)
        calibration = Calibration(n=len(val), temperature=temperature)
    if not len(test):
        return {"calibration": calibration}
    more: dict[str, Any] = {"n_test": len(test)}
    if task.continuous and calibration.spread is not None:
        more["coverage"] = coverage(said, test.targets, calibration.spread)
    if not task.continuous:
        for when, t in (("before", 1.0), ("after", calibration.temperature)):
            sure = probabilities(said, t, softmax=task.softmax)
            more[f"ece_{when}"] = expected_calibration_error(sure, test.targets)
            more[f"nll_{when}"] = log_loss(said, test.targets, t)
    decided = task.decide(said).numpy()
    return {
        "calibration": calibration.model_copy(update=more),
        "agreement": agreement(decided, test, run, model.facts),
        "results": this_file(decided, test, model.facts),
    }


def outputs(model: FaceModel, faces: FaceSet) -> torch.Tensor:
    """What the network gives of all faces, N x K; they may not fit into memory at once."""
    parts = [model.outputs(part, batch_size=BATCH) for part in faces.images.split(BATCH)]
    return torch.cat([torch.empty(0, model.facts.outputs), *parts])


def agreement(decided: np.ndarray, test: FaceSet, run: Run, facts: Facts) -> float | None:
    """See ``Facts.agreement``; None where the run was not tested on what the network sees."""
    table = run.predictions
    own = table[(table["data"] == test.name) & (table["split"] == "test") & (table["row"] == "")]
    own = own[own["view"] == facts.visible]
    if len(own) != len(decided):
        return None
    theirs = own.set_index("id")["prediction"].reindex(test.ids).to_numpy()
    gap = np.abs(decided.astype(np.float64) - theirs)
    return float((gap < NEAR).mean())


def this_file(decided: np.ndarray, test: FaceSet, facts: Facts) -> tuple[Result, ...]:
    """The metrics of the stored network, over the test faces."""
    place = measured.Place(test.name, "test", facts.visible)
    everybody = np.ones(len(decided), bool)
    return tuple(
        measured.result(
            place, metric, test.targets.numpy(), decided[None], everybody,
            subset=measured.THIS_FILE,
        )
        for metric in task_of(facts.task).metrics
    )  # fmt: skip
