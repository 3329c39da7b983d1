"""What all methods that train a network have in common: begin, fit, predict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import nn

from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.losses.task import Facts, LossChoice, TaskLoss
from occkd_lib.methods.base import (
    Job,
    Method,
    Row,
    Stage,
    StageSettings,
    control_of,
    student_of,
)
from occkd_lib.models import FaceNet, NetworkSettings, Prediction, parameter_count
from occkd_lib.models.cost import Cost
from occkd_lib.plugins import is_import_path
from occkd_lib.randomness import derived_seed
from occkd_lib.tasks import Task
from occkd_lib.training.batches import Batches
from occkd_lib.training.features import views_of
from occkd_lib.training.fit import fit
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import predict
from occkd_lib.training.predictions import NETWORK, prediction_table, save_predictions
from occkd_lib.training.settings import FitSettings
from occkd_lib.training.views import Views


class FittedSettings(StageSettings, FitSettings):
    """The settings of a stage that trains a network.

    network: None for the experiment's. start: the stage whose weights it begins with, None for a
    new network. loss: of the task; None for the one that the labels or the task ask for.
    head_start: where a new network that predicts a quantity begins: at the mean of the training
    targets, or at random values around 0. The papers do not say. batch_size: None for the
    experiment's. label_share: of every class, whose labels may be used; None for all. draw: which
    of several trainings with one seed and the same settings; each has random numbers of its own.
    of: the stages that this one is the matched control of; it has their start and optimisation,
    which the recipe takes over from the first of them.
    """

    network: NetworkSettings | None = None
    start: str | None = None
    loss: LossChoice | None = None
    head_start: Literal["mean", "random"] = "mean"
    batch_size: int | None = Field(None, ge=2)
    label_share: float | None = Field(None, gt=0, le=1)
    draw: int = Field(0, ge=0, exclude_if=lambda draw: draw == 0)
    of: tuple[str, ...] = ()

    @property
    def begins_with(self) -> str | None:
        return self.start

    @property
    def own_network(self) -> NetworkSettings | None:
        return self.network

    @property
    def controls(self) -> tuple[str, ...]:
        return self.of


class Lesson(NamedTuple):
    """The network as it begins, the training faces in their batches, what is minimised on each,
    and the task loss in it."""

    model: FaceNet
    batches: Batches
    objective: Objective
    loss: LossChoice


class Fitted(Method):
    """Train one network. Derived methods say from which objective."""

    takes_over = (
        *FitSettings.model_fields, "start", "view", "head_start", "batch_size", "label_share",
    )  # fmt: skip
    few_labels = False  # can it do with the labels of some faces?

    def needs(self, settings: Any) -> tuple[str, ...]:
        return (settings.start,) if settings.start else ()

    def check(
        self, settings: Any, task: Task, *, has_validation: bool, network: NetworkSettings
    ) -> None:
        if not has_validation and (settings.select != "last" or settings.tune):
            raise ValueError(
                "the data set has no validation split: set 'select: last' and no 'tune'"
            )
        named = settings.loss.name if settings.loss else task.loss
        if (named == "ldam") != network.cosine_head and not is_import_path(named):
            switch = f"cosine_head: {str(network.cosine_head).lower()}"
            raise ValueError(
                f"loss {named!r} and {switch} in its network do not go together: ldam learns from "
                "cosines, no other loss does"
            )
        if settings.label_share and not self.few_labels:
            raise ValueError(f"label_share: method {self.name!r} needs the labels of all faces")
        if settings.freeze_norm and not settings.start:
            raise ValueError("freeze_norm: a new network has no statistics to keep: set start")
        if settings.loss:
            settings.loss.try_on(outputs=3 if task.softmax else 1)

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        """What ``model`` is to learn from the training faces ``batches.views``."""
        return Objective(task_loss, job.stage.view)

    def lesson(self, job: Job) -> Lesson:
        """What ``carry_out`` trains with, before the first step."""
        stage, settings, compute, seed = job.stage, job.stage.settings, job.compute, job.seed
        torch.manual_seed(derived_seed(seed, "weights"))
        model = self.begin(job)
        model = model.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        views = views_of(job.faces.split("train"), model, compute)
        batches = Batches(
            views,
            batch_size=settings.batch_size or job.batch_size,
            seed=seed,
            flip=job.flip,
            moves=job.moves,
            label_share=settings.label_share,
        )
        own = views.faces.loss
        if own and settings.loss and settings.loss.name != own:
            raise OcckdError(
                f"{stage.name}: loss {settings.loss.name!r} cannot learn from these labels, which "
                f"need {own!r}: leave 'loss' out (loss: null), or choose another label rule"
            )
        choice = settings.loss or LossChoice(name=own or job.task.loss)
        known = class_counts(views.faces), views.faces.classes
        facts = Facts(job.outputs, model.embedding_dim, *known, stage.network.cosine_head)
        torch.manual_seed(derived_seed(seed, "objective"))
        objective = self.objective(job, choice.build(facts), model, batches).to(compute.device)
        return Lesson(model, batches, objective, choice)

    def carry_out(self, job: Job) -> dict[str, Any]:
        stage, settings, compute, seed = job.stage, job.stage.settings, job.compute, job.seed
        model, batches, objective, choice = self.lesson(job)
        val, *_ = held_out = [
            views_of(faces, model, compute)
            for faces in (*map(job.faces.split, ("val", "test")), *job.also_test)
        ]

        def answers(looks: Views, view: str) -> tuple[np.ndarray, Prediction]:
            said = predict(model, looks, view, compute=compute)
            return job.task.decide(said.output.cpu()).numpy(), said

        def validate(network: FaceNet) -> float:
            if not len(val):
                return math.nan
            metric = job.task.metric
            return metric.sign * metric(val.faces.targets, answers(val, stage.view)[0])

        fitted = fit(
            model, batches, objective, settings, job.run,
            validate=validate, compute=compute, seed=seed, say=job.say,
        )  # fmt: skip
        usual = self.usual_views(stage)  # nothing is chosen on test_views
        tables = [
            self.answers_table(job, looks.faces, view, *answers(looks, view))
            for view in stage.tested_on
            for looks in held_out
            if len(looks) and (view in usual or looks is not val)
        ]
        save_predictions(job.run, tables, job.task)
        job.run.save_tensors("model", model.state_dict())
        return {
            **fitted,
            "parameters": parameter_count(model),
            "parameters_of_objective": parameter_count(objective),
            "loss": choice.model_dump(),
            "initialisation": model.init_record,
        }

    def answers_table(
        self, job: Job, faces: FaceSet, view: str, prediction: np.ndarray, said: Prediction
    ) -> pd.DataFrame:
        """What the network says of ``faces``, as ``save_predictions`` wants it."""
        return prediction_table(faces, view, NETWORK, prediction, said.output.cpu().numpy())

    def begin(self, job: Job) -> FaceNet:
        """The network before its first step: a parent's, or a new one."""
        if job.stage.settings.start:
            model = job.load(job.stage.settings.start)
            model.look_at(job.stage.network.half)
            return model
        model = job.stage.network.build(job.outputs)
        if job.task.continuous and job.stage.settings.head_start == "mean":
            if model.head.bias is None:
                raise OcckdError("cosine_head: cosines are no quantity; leave it out")
            targets = job.faces.split("train").targets
            nn.init.constant_(model.head.bias, float(targets.float().mean()))
        return model

    def usual_views(self, stage: Stage) -> tuple[str, ...]:
        """What it is tested on without the experiment's ``test_views``."""
        return self.tested_on(stage.view, stage.tested_on)

    def rows(self, stage: Stage, stages: Mapping[str, Stage]) -> list[Row]:
        compared = self.distils or stage.settings.controls
        usual = self.usual_views(stage)  # the papers'
        return [
            Row(
                name=stage.name,
                stage=stage.name,
                key=NETWORK,
                method=self.name,
                title=stage.settings.title or self.row_title(stage),
                parts=(stage.name,),
                trained_on=self.trained_on(stage),
                view=view,
                student=student_of(stage) if compared else None,
                control=control_of(stage.name, stages),
                published={} if stage.settings.loss or view not in usual else self.published,
                color=self.color,
            )
            for view in stage.tested_on
        ]

    def row_title(self, stage: Stage) -> str:
        """The method in words, for this stage."""
        return self.title

    def trained_on(self, stage: Stage) -> tuple[str, ...]:
        """The views that the training saw, a teacher's first."""
        return (stage.view,)

    def flop(
        self, settings: Any, train: int, val: int, cost: Cost, teachers: Sequence[Cost]
    ) -> float:
        return settings.epochs * (train * cost.training + val * cost.forward)


def class_counts(faces: FaceSet) -> tuple[int, ...]:
    """Faces of every class; () for a quantity."""
    if not faces.classes:
        return ()
    return tuple(torch.bincount(faces.targets, minlength=len(faces.classes)).tolist())
