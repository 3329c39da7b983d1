"""The stages of an experiment and how they hang together.

    teacher ─┬─ student_lower, student_upper ─┬─ control ──┐
             │                                ├─ standard ─┼─ fusion
             └────────────────────────────────┴─ triplet ──┘

``run_stage`` runs one of them (and first whatever it needs), resumes it, or finds it done.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from occkd_lib.config import DataSettings, Experiment, Recipe
from occkd_lib.data import FaceSet, load_faces
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import METRICS
from occkd_lib.fusion import fit_fusion
from occkd_lib.models import build_model
from occkd_lib.models.base import FaceNet, parameter_count
from occkd_lib.runs import Run, run_folder, write_json
from occkd_lib.tasks import TASKS
from occkd_lib.training.batches import Batches
from occkd_lib.training.fit import fit
from occkd_lib.training.objectives import (
    Objective,
    StandardObjective,
    TaskObjective,
    TripletObjective,
)
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

STAGES = ("teacher", "student_lower", "student_upper", "control", "standard", "triplet", "fusion")


def needs(stage: str, visible: str) -> tuple[str, ...]:
    """The stages that must be done before ``stage``."""
    student = f"student_{visible}"
    return {
        "teacher": (),
        "student_lower": ("teacher",),
        "student_upper": ("teacher",),
        "control": (student,),
        "standard": ("teacher", student),
        "triplet": ("teacher", student),
        "fusion": ("standard", "triplet", "control"),
    }[stage]


@lru_cache(maxsize=2)
def faces_of(data: DataSettings, task: str) -> FaceSet:
    """The experiment's faces; kept, because every stage of a notebook asks for them."""
    return load_faces(
        data.name, task=task, labels=data.labels, split_seed=data.split_seed, faces=data.faces
    )


def run_stage(
    recipe: Recipe,
    experiment: str,
    seed: int,
    stage: str,
    *,
    say: Callable[[str], None] = print,
) -> Run:
    """Run ``stage`` of one experiment and seed, and whatever it needs; at once when it is done.

    recipe: as from load_recipe. stage: one of STAGES. say: receives progress, a line an epoch.
    Returns the Run. Raises OcckdError for unknown names, bad data, or a run folder made by
    another recipe.
    """
    if stage not in STAGES:
        raise OcckdError(f"no stage {stage!r}; stages are {', '.join(STAGES)}")
    chosen = recipe.experiment(experiment)
    parents = {
        name: run_stage(recipe, experiment, seed, name, say=say)
        for name in needs(stage, chosen.visible)
    }
    faces = faces_of(chosen.data, chosen.task)
    config = protocol(recipe, experiment, chosen, seed, stage, faces, parents)
    run = Run.open(run_folder(recipe.name, experiment, seed, stage), config)
    if run.done:
        return run
    run.start()
    try:
        if stage == "fusion":
            facts = fuse(chosen, seed, faces, parents, run)
        else:
            facts = train(chosen, seed, stage, faces, parents, run, say)
    except BaseException as error:
        run.fail(error)
        raise
    counts = {name: int((faces.splits == name).sum()) for name in ("train", "val", "test")}
    run.finish(n=counts, **facts)
    return run


def protocol(
    recipe: Recipe,
    name: str,
    experiment: Experiment,
    seed: int,
    stage: str,
    faces: FaceSet,
    parents: dict[str, Run],
) -> dict[str, Any]:
    """All that determines a stage's result; its hash is the run's fingerprint."""
    kind = "student" if stage.startswith("student") else stage
    shared = experiment.model_dump(mode="json", exclude={"stages", "fusion", "seeds", "both_halves"})
    settings = experiment.fusion if stage == "fusion" else getattr(experiment.stages, kind)
    return {
        "recipe": recipe.name,
        "experiment": name,
        "seed": seed,
        "stage": stage,
        **shared,
        "settings": settings.model_dump(mode="json"),
        "faces": faces.fingerprint(),
        "parents": {parent: run.fingerprint for parent, run in parents.items()},
    }


def new_model(experiment: Experiment) -> FaceNet:
    """The experiment's network, freshly initialised (or with its pretrained weights)."""
    net = experiment.network
    return build_model(
        net.name,
        TASKS[experiment.task].outputs,
        input_size=net.input_size,
        channels=net.channels,
        width=net.width,
        dropout=net.dropout,
        init=net.init,
    )


def load_model(experiment: Experiment, run: Run) -> FaceNet:
    """The trained network of a finished run, on the CPU, in eval mode."""
    loaded = run.load_tensors("model")
    if loaded is None:
        raise OcckdError(f"{run.folder} has no model.safetensors: run its stage first")
    net = experiment.network.model_copy(update={"init": "random"})
    model = new_model(experiment.model_copy(update={"network": net}))
    try:
        model.load_state_dict(loaded[0])
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise OcckdError(f"{run.folder}/model.safetensors does not fit: {reason}") from None
    return model.eval()


def train(
    experiment: Experiment,
    seed: int,
    stage: str,
    faces: FaceSet,
    parents: dict[str, Run],
    run: Run,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Any stage but fusion: initialise, fit, predict."""
    task = TASKS[experiment.task]
    compute = Compute.best(experiment.precision)
    stage_seed = zlib.crc32(f"{stage}|{seed}".encode()) % 20_000
    torch.manual_seed(stage_seed)
    train_faces, val_faces, test_faces = (faces.split(s) for s in ("train", "val", "test"))
    visible = {"teacher": "full", "student_lower": "lower", "student_upper": "upper"}.get(
        stage, experiment.visible
    )

    if stage == "teacher":
        model = new_model(experiment)
        if task.name == "age":  # start at the mean age, not at birth
            torch.nn.init.constant_(model.head.bias, float(train_faces.targets.float().mean()))
    else:  # a student starts from its teacher, a distilled student from its student
        start = parents["teacher"] if stage.startswith("student") else parents[
            f"student_{experiment.visible}"
        ]
        model = load_model(experiment, start)
    model = model.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    views = Views(train_faces, model.input_spec, compute.device)
    held_out = {
        "val": Views(val_faces, model.input_spec, compute.device),
        "test": Views(test_faces, model.input_spec, compute.device),
    }
    batches = Batches(
        views,
        batch_size=experiment.batch_size,
        seed=stage_seed,
        flip=experiment.flip,
        shift=experiment.shift,
    )
    settings = getattr(experiment.stages, "student" if stage.startswith("student") else stage)
    objective: Objective
    if stage in ("standard", "triplet"):
        teacher = FrozenTeacher(
            load_model(experiment, parents["teacher"]).to(compute.device),
            views,
            compute=compute,
            live=experiment.shift > 0,
        )
        if stage == "standard":
            objective = StandardObjective(task, visible, faces.label_rule, teacher, settings)
        else:
            objective = TripletObjective(
                task, visible, faces.label_rule, teacher, settings, views, compute, stage_seed
            )
    else:
        objective = TaskObjective(task, visible, faces.label_rule)

    def validate(network: FaceNet) -> float:
        decided = task.decide(predict(network, held_out["val"], visible, compute=compute).output)
        value = METRICS[task.metric](val_faces.targets, decided.cpu())
        return value if task.higher_is_better else -value

    facts = fit(
        model, batches, objective, settings, run,
        validate=validate, compute=compute, seed=stage_seed, say=say,
    )  # fmt: skip
    seen = ("full", "lower", "upper") if stage == "teacher" else (visible,)
    tables = [
        prediction_table(views_, split, half, stage, predict(model, views_, half, compute=compute).output, task)
        for half in seen
        for split, views_ in held_out.items()
    ]
    save_predictions(run, pd.concat(tables, ignore_index=True), task.name)
    run.save_tensors("model", model.state_dict())
    record = getattr(model, "init_record", None) if stage == "teacher" else None
    return {**facts, "parameters": parameter_count(model), "initialisation": record}


def prediction_table(views, split, visible, method, output, task) -> pd.DataFrame:
    """One row a face: id, split, visible, target, prediction, duplicate_of_train, method, scores."""
    faces, output = views.faces, output.cpu()
    table = pd.DataFrame(
        {
            "id": faces.ids,
            "split": split,
            "visible": visible,
            "target": faces.targets.numpy(),
            "prediction": task.decide(output).numpy(),
            "duplicate_of_train": faces.duplicate_of_train,
            "method": method,
        }
    )
    for k in range(output.shape[1]):
        table[f"score_{k}"] = output[:, k].numpy()
    return table


def save_predictions(run: Run, table: pd.DataFrame, task: str) -> None:
    """predictions.parquet, and what they amount to in metrics.json."""
    names = ("accuracy", "weighted_accuracy") if task == "expression" else (TASKS[task].metric,)
    metrics: dict[str, Any] = {}
    for (method, visible, split), rows in table.groupby(["method", "visible", "split"]):
        values = {n: float(METRICS[n](rows.target.to_numpy(), rows.prediction.to_numpy())) for n in names}
        metrics.setdefault(method, {}).setdefault(visible, {})[split] = values
    run.save_table("predictions.parquet", table)
    write_json(run.folder / "metrics.json", metrics)


def fuse(
    experiment: Experiment, seed: int, faces: FaceSet, parents: dict[str, Run], run: Run
) -> dict[str, Any]:
    """SVM / SVR on concatenated embeddings, and on each part alone (journal, Sec. 4.4, Table 4)."""
    task, visible = TASKS[experiment.task], experiment.visible
    compute = Compute.best(experiment.precision)
    splits = {name: faces.split(name) for name in ("train", "val", "test")}
    parts: dict[str, dict[str, np.ndarray]] = {}
    for stage, parent in parents.items():
        model = load_model(experiment, parent).to(compute.device)
        parts[stage] = {
            name: predict(model, Views(part, model.input_spec, compute.device), visible, compute=compute)
            .embedding.cpu().numpy()
            for name, part in splits.items()
        }  # fmt: skip
    methods = {
        "standard+triplet": ("standard", "triplet"),
        "standard_svm": ("standard",),
        "triplet_svm": ("triplet",),
        "control_svm": ("control",),
    }
    tables, facts = [], {}
    for method, stages in methods.items():
        embeddings = {name: [parts[s][name] for s in stages] for name in splits}
        fusion = fit_fusion(
            embeddings["train"], splits["train"].targets.numpy(),
            embeddings["val"], splits["val"].targets.numpy(),
            task=task.name, seed=seed, **experiment.fusion.model_dump(),
        )  # fmt: skip
        facts[method] = {
            "C": fusion.C, "validation": fusion.validation, "converged": fusion.converged,
        }  # fmt: skip
        for name in ("val", "test"):
            faces_, features = splits[name], embeddings[name]
            table = pd.DataFrame(
                {
                    "id": faces_.ids,
                    "split": name,
                    "visible": visible,
                    "target": faces_.targets.numpy(),
                    "prediction": fusion.predict(features),
                    "duplicate_of_train": faces_.duplicate_of_train,
                    "method": method,
                }
            )
            scores = np.asarray(fusion.scores(features)).reshape(len(faces_), -1)
            for k in range(scores.shape[1]):
                table[f"score_{k}"] = scores[:, k].astype(np.float32)
            tables.append(table)
    save_predictions(run, pd.concat(tables, ignore_index=True), task.name)
    return {"fusion": facts}
