"""A stage's first lesson on a few faces: to be looked at, and taken apart, in a notebook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.methods.fitted import Fitted, Lesson
from occkd_lib.models import FaceNet
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages.graph import stage_of
from occkd_lib.stages.networks import faces_of, load_network, outputs_of
from occkd_lib.stages.run import job, run_stage
from occkd_lib.training.device import Compute
from occkd_lib.training.features import views_of
from occkd_lib.training.predict import FrozenTeacher
from occkd_lib.training.views import Views


def first_lesson(recipe: Recipe, experiment: str, seed: int, stage: str, faces: int) -> Lesson:
    """What a stage or arm trains with, before its first step, on its first training faces.

    faces: how many. On the CPU and in fp32; everything else is as the recipe says. New at every
    call, so one can be trained and another be kept. The stages that it needs are carried out first.
    """
    chosen = recipe.experiment(experiment)
    what = stage_of(chosen, stage)
    if not isinstance(what.method, Fitted):
        raise OcckdError(f"stage {stage!r} trains no network, so it has no lesson")
    parents = {name: run_stage(recipe, experiment, seed, name) for name in what.parents}
    cpu, every = Compute(torch.device("cpu"), "fp32"), faces_of(chosen)
    few = every.select(np.flatnonzero(every.splits == "train")[:faces])

    def load(parent: str) -> FaceNet:
        network, outputs = what.parents[parent].network, outputs_of(chosen)
        return load_network(network, outputs, parents[parent])

    def teacher(parent: str, views: Views) -> FrozenTeacher:
        model, live = load(parent), bool(chosen.moves) or views.spec.margin > 0
        if not views.serves(model):
            views = views_of(few, model, cpu)
        return FrozenTeacher(model, views, what.parents[parent].view, compute=cpu, live=live)

    run = Run(run_folder(recipe.name, experiment, seed, stage))  # nothing is written to it
    whole = job(chosen, what, seed, few, parents, run, print)
    return what.method.lesson(replace(whole, also_test=(), compute=cpu, load=load, teacher=teacher))
