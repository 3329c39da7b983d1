"""The network of an experiment: new, or as a finished run left it."""

from __future__ import annotations

import torch

from occkd_lib.config import Experiment
from occkd_lib.data.registry import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, restore_record
from occkd_lib.models.base import FaceNet
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS


def outputs_of(experiment: Experiment) -> int:
    """How many outputs its network has: the task's, or those of a data set with fewer classes."""
    return data_set(experiment.data.name).outputs or TASKS[experiment.task].outputs


def new_model(experiment: Experiment) -> FaceNet:
    """The experiment's network, freshly initialised (or with its pretrained weights)."""
    net = experiment.network
    return build_model(
        net.name,
        outputs_of(experiment),
        input_size=net.input_size,
        channels=net.channels,
        width=net.width,
        dropout=net.dropout,
        init=net.init,
    )


def load_model(experiment: Experiment, run: Run) -> FaceNet:
    """The trained network of a finished run, on the CPU, in eval mode, channels last (faster).

    It sees faces as the pretrained weights that its teacher began with want them (mean, std).
    """
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
    record = (run.status or {}).get("initialisation")
    if record:
        restore_record(model, record)
    return model.eval().to(memory_format=torch.channels_last)
