"""The stages of an experiment and how they hang together.

    teacher ─┬─ student_lower, student_upper ─┬─ control ──┐
             │                                ├─ standard ─┼─ fusion
             └────────────────────────────────┴─ triplet ──┘

``run_stage`` runs one of them (and first whatever it needs), resumes it, or finds it done, be it
by another recipe or experiment. Control, standard and triplet have arms: ``triplet@alpha=0.1`` is
that stage with one setting changed, beside the recipe's own. A stage with ``tune`` is the arm that
does best on validation.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch

from occkd_lib.config import (
    ARMED,
    DataSettings,
    Experiment,
    FusionSettings,
    Recipe,
    StageSettings,
    StandardSettings,
    TripletSettings,
    parse_stage,
    stage_settings,
    tuned_arms,
)
from occkd_lib.data import FaceSet, load_faces
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import METRICS
from occkd_lib.models import refuse_other_weights
from occkd_lib.models.base import FaceNet, parameter_count
from occkd_lib.runs import Run, run_folder
from occkd_lib.tasks import TASKS
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.fit import fit
from occkd_lib.training.networks import load_model, new_model
from occkd_lib.training.objectives import (
    Objective,
    StandardObjective,
    TaskObjective,
    TripletObjective,
)
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.predictions import prediction_table, save_predictions
from occkd_lib.training.views import Views

STAGES = ("teacher", "student_lower", "student_upper", "control", "standard", "triplet", "fusion")


def needs(experiment: Experiment, stage: str) -> tuple[str, ...]:
    """The stages that must be done before ``stage``; a distilled one begins with the last of them.

    Raises OcckdError for a stage that there is not.
    """
    base, arm = parse_stage(stage)
    if base not in STAGES or (arm and base not in ARMED):
        arms = ", ".join(f"{name}@setting=value" for name in ARMED)
        raise OcckdError(f"no stage {stage!r}; stages are {', '.join(STAGES)}, {arms}")
    student = f"student_{experiment.visible}"
    if base in ("standard", "triplet"):
        start = settings_of(experiment, stage).start  # type: ignore[union-attr]
        return ("teacher", student) if start == "student" else ("teacher",)
    return {
        "teacher": (),
        "student_lower": ("teacher",),
        "student_upper": ("teacher",),
        "control": (student,),
        "fusion": ("standard", "triplet", "control"),
    }[base]


def settings_of(experiment: Experiment, stage: str) -> StageSettings | FusionSettings:
    """``stage_settings``; a wrong arm is the user's mistake."""
    try:
        return stage_settings(experiment, stage)
    except ValueError as error:
        raise OcckdError(str(error)) from None


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
    chosen = recipe.experiment(experiment)
    arms = tuned_arms(chosen, stage)
    if arms:
        runs = [run_stage(recipe, experiment, seed, arm, say=say) for arm in arms]
        best = max(runs, key=lambda run: (run.status or {})["validation_metric"])
        return best.stand_for(run_folder(recipe.name, experiment, seed, stage))
    parents = {
        name: run_stage(recipe, experiment, seed, name, say=say) for name in needs(chosen, stage)
    }
    faces = faces_of(chosen.data, chosen.task)
    config = protocol(chosen, seed, stage, faces, parents)
    with Run.alone(config, say):
        run = Run.open(run_folder(recipe.name, experiment, seed, stage), config)
        if run.done:
            if stage == "teacher":
                known = (run.status or {})["initialisation"]
                refuse_other_weights(chosen.network.init, known, run.folder)
            return run
        run.start()
        try:
            if stage == "fusion":
                from occkd_lib.training.fuse import fuse  # scikit-learn, a second

                facts = fuse(chosen, seed, faces, parents, run)
            else:
                facts = train(chosen, seed, stage, faces, parents, run, say)
        except BaseException as error:
            run.fail(error)
            raise
        counts = {name: int((faces.splits == name).sum()) for name in ("train", "val", "test")}
        run.finish(n=counts, **facts)
    return run


_teachers: dict[str, FrozenTeacher] = {}  # the last one: the arms of an ablation share it


def frozen_teacher(
    experiment: Experiment, run: Run, views: Views, compute: Compute
) -> FrozenTeacher:
    """The finished teacher ``run`` on the training faces; once a process for all that ask."""
    if run.fingerprint not in _teachers:
        _teachers.clear()
        model = load_model(experiment, run).to(compute.device)
        _teachers[run.fingerprint] = FrozenTeacher(
            model, views, compute=compute, live=experiment.shift > 0
        )
    return _teachers[run.fingerprint]


def protocol(
    experiment: Experiment, seed: int, stage: str, faces: FaceSet, parents: dict[str, Run]
) -> dict[str, Any]:
    """All that determines a stage's result, and nothing else; its hash is the run's fingerprint.

    Neither recipe nor experiment are named in it: what two of them share is done once.
    """
    return {
        "seed": seed,
        **deciding(experiment, stage),
        "faces": faces.fingerprint(),
        "parents": {parent: run.fingerprint for parent, run in parents.items()},
    }


def deciding(experiment: Experiment, stage: str) -> dict[str, Any]:
    """The part of an experiment that decides what a stage does."""
    decides = {"data", "task", "network", "batch_size", "precision", "flip", "shift"}
    if stage.split("_")[0] not in ("teacher", "student"):
        decides.add("visible")
    return {
        "stage": parse_stage(stage)[0],
        **experiment.model_dump(mode="json", include=decides),
        "settings": settings_of(experiment, stage).model_dump(mode="json", exclude={"tune"}),
    }


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
    base, _ = parse_stage(stage)
    task, settings = TASKS[experiment.task], settings_of(experiment, stage)
    assert isinstance(settings, StageSettings)
    compute = Compute.best(experiment.precision)
    stage_seed = zlib.crc32(f"{base}|{seed}".encode()) % 20_000  # arms differ in nothing else
    torch.manual_seed(stage_seed)
    train_faces, val_faces, test_faces = (faces.split(s) for s in ("train", "val", "test"))
    visible = {"teacher": "full", "student_lower": "lower", "student_upper": "upper"}.get(
        base, experiment.visible
    )

    if stage == "teacher":
        model = new_model(experiment)
        if task.name == "age":  # start at the mean age, not at birth
            torch.nn.init.constant_(model.head.bias, float(train_faces.targets.float().mean()))
    else:  # a student starts from its teacher, a distilled student from its student
        model = load_model(experiment, list(parents.values())[-1])
    model = model.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    views = Views(train_faces, model.input_spec, compute.device)
    held_out = {
        name: Views(each, model.input_spec, compute.device)
        for name, each in (("val", val_faces), ("test", test_faces))
        if len(each)  # AffectNet has no validation split
    }
    batches = Batches(
        views,
        batch_size=experiment.batch_size,
        seed=stage_seed,
        flip=experiment.flip,
        shift=experiment.shift,
    )
    objective: Objective
    if isinstance(settings, StandardSettings | TripletSettings):
        teacher = frozen_teacher(experiment, parents["teacher"], views, compute)
        if isinstance(settings, StandardSettings):
            objective = StandardObjective(task, visible, faces.rule, teacher, settings)
        else:
            objective = TripletObjective(
                task, visible, faces.rule, teacher, settings, views, compute, stage_seed
            )
    else:
        objective = TaskObjective(task, visible, faces.rule)

    def validate(network: FaceNet) -> float:
        if "val" not in held_out:
            return math.nan
        decided = task.decide(predict(network, held_out["val"], visible, compute=compute).output)
        value = METRICS[task.metric](val_faces.targets, decided.cpu())
        return value if task.higher_is_better else -value

    facts = fit(
        model, batches, objective, settings, run,
        validate=validate, compute=compute, seed=stage_seed, say=say,
    )  # fmt: skip
    seen = ("full", "lower", "upper") if stage == "teacher" else (visible,)
    tables = []
    for half in seen:
        for looks in held_out.values():
            output = predict(model, looks, half, compute=compute).output.cpu()
            decided = task.decide(output).numpy()
            tables.append(prediction_table(looks.faces, half, base, decided, output.numpy()))
    save_predictions(run, tables, task)
    run.save_tensors("model", model.state_dict())
    return {**facts, "parameters": parameter_count(model), "initialisation": model.init_record}
