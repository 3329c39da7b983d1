"""``run_stage``: carry out a stage and first whatever it needs, resume it, or find it done.

A stage that another recipe or experiment has already carried out is not done again. A stage with
``tune`` is the arm that does best on validation with the tuning seeds (``stages.tuning``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import SPLITS, FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Job, Stage
from occkd_lib.models import FaceNet, refuse_other_weights
from occkd_lib.occlusion import versions
from occkd_lib.plugins import sources
from occkd_lib.randomness import derived_seed
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages.graph import stage_of
from occkd_lib.stages.networks import faces_of, load_network, outputs_of, test_faces_elsewhere
from occkd_lib.stages.tuning import choose_arm
from occkd_lib.tasks import task_of
from occkd_lib.training.batches import STILL
from occkd_lib.training.device import Compute
from occkd_lib.training.features import views_of
from occkd_lib.training.predict import FrozenTeacher
from occkd_lib.training.views import Views


def run_stage(
    recipe: Recipe,
    experiment: str,
    seed: int,
    stage: str,
    *,
    say: Callable[[str], None] = print,
) -> Run:
    """Run ``stage`` of one experiment and seed, and whatever it needs; at once when it is done.

    recipe: as from load_recipe. stage: one of the experiment's, or an arm of one. say: receives
    progress, a line an epoch. Returns the Run. Raises OcckdError for unknown names, bad data, or a
    run folder made by another recipe.
    """
    chosen = recipe.experiment(experiment)
    if seed < 0:
        raise OcckdError(f"seed {seed}: a seed is 0 or more")
    arms = chosen.tuned_arms(stage)
    if arms:
        best = choose_arm(
            recipe.name, chosen, experiment, stage,
            lambda tuning_seed, arm: run_stage(recipe, experiment, tuning_seed, arm, say=say),
        )  # fmt: skip
        run = run_stage(recipe, experiment, seed, best, say=say)
        return run.stand_for(run_folder(recipe.name, experiment, seed, stage))
    what = stage_of(chosen, stage)
    parents = {name: run_stage(recipe, experiment, seed, name, say=say) for name in what.parents}
    faces = faces_of(chosen)
    config = protocol(chosen, what, seed, faces, parents)
    with Run.alone(config, say):
        run = Run.open(run_folder(recipe.name, experiment, seed, stage), config)
        if run.done:
            record = (run.status or {}).get("initialisation")
            if record:
                refuse_other_weights(what.network.init, record, run.folder)
            return run
        run.start()
        try:
            facts = what.method.carry_out(job(chosen, what, seed, faces, parents, run, say))
        except BaseException as error:
            run.fail(error)
            raise
        counts = {name: int((faces.splits == name).sum()) for name in SPLITS}
        run.finish(n=counts, **facts)
    return run


def protocol(
    experiment: Experiment, stage: Stage, seed: int, faces: FaceSet, parents: dict[str, Run]
) -> dict[str, Any]:
    """All that determines a stage's result, and nothing else; its hash is the run's fingerprint.

    Neither recipe nor experiment are named in it: what two of them share is done once.
    """
    settled = {
        **decides(experiment, stage),
        "seed": seed,
        "faces": faces.fingerprint(),
        "parents": {parent: origin(run) for parent, run in parents.items()},
    }
    if experiment.test_on:
        settled["test_faces"] = [f.fingerprint() for f in test_faces_elsewhere(experiment)]
    own = sources(settled)
    return {**settled, "sources": own} if own else settled


def origin(run: Run) -> str:
    """What tells a finished run from any other: its protocol, and the weights file it began with.

    The file is not in the protocol, as a finished run does without it.
    """
    weights = ((run.status or {}).get("initialisation") or {}).get("sha256")
    return f"{run.fingerprint}+{weights[:16]}" if weights else run.fingerprint


def decides(experiment: Experiment, stage: Stage) -> dict[str, Any]:
    """The part of an experiment that decides what a stage does."""
    shared = {"data", "test_on", "task", "batch_size", "precision", "flip", *vars(STILL)}
    elsewhere = {"tune", "view", "network", "title"}
    if stage.settings.controls:
        elsewhere.add("of")  # whose control it is changes nothing in it
    drawn = versions((stage.view, *stage.tested_on))
    return {
        "method": stage.method.name,
        "view": stage.view,
        "tested_on": list(stage.tested_on),
        "network": stage.network.model_dump(mode="json"),
        **experiment.model_dump(mode="json", include=shared),
        "settings": stage.settings.model_dump(mode="json", exclude=elsewhere),
        **({"occluders": drawn} if drawn else {}),
    }


def job(
    experiment: Experiment,
    stage: Stage,
    seed: int,
    faces: FaceSet,
    parents: dict[str, Run],
    run: Run,
    say: Callable[[str], None],
) -> Job:
    """What ``carry_out`` needs."""
    compute, outputs = Compute.best(experiment.precision), outputs_of(experiment)
    draw = getattr(stage.settings, "draw", 0)  # what trains no network has one training alone

    def load(parent: str) -> FaceNet:
        return load_network(stage.parents[parent].network, outputs, parents[parent])

    def teacher(parent: str, views: Views) -> FrozenTeacher:
        return frozen_teacher(
            parents[parent], stage.parents[parent].view, load, parent, views, compute,
            live=bool(experiment.moves) or views.spec.margin > 0,
        )  # fmt: skip

    return Job(
        stage=stage,
        task=task_of(experiment.task),
        outputs=outputs,
        faces=faces,
        also_test=test_faces_elsewhere(experiment),
        seed=derived_seed(seed, f"draw {draw}") if draw else seed,
        batch_size=experiment.batch_size,
        flip=experiment.flip,
        moves=experiment.moves,
        compute=compute,
        run=run,
        say=say,
        load=load,
        teacher=teacher,
    )


_teachers: dict[
    tuple[str, bool], FrozenTeacher
] = {}  # the last one: the arms of an ablation share it


def frozen_teacher(
    run: Run,
    view: str,
    load: Callable[[str], FaceNet],
    name: str,
    views: Views,
    compute: Compute,
    *,
    live: bool,
) -> FrozenTeacher:
    """The finished teacher ``run`` on the training faces; once a process for all that ask."""
    key = run.fingerprint, live
    if key not in _teachers:
        _teachers.clear()
        model = load(name).to(compute.device)
        if not views.serves(model):
            views = views_of(views.faces, model, compute)
        _teachers[key] = FrozenTeacher(model, views, view, compute=compute, live=live)
    return _teachers[key]
