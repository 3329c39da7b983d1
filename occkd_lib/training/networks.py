"""The network of an experiment: new, or as a finished run left it, and what it sees."""

from __future__ import annotations

import torch

from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet
from occkd_lib.data.registry import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, restore_record
from occkd_lib.models.base import FaceNet, Prediction
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import predict
from occkd_lib.training.views import Views


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


def look_at(experiment: Experiment, run: Run, faces: FaceSet, visible: str) -> Prediction:
    """Embeddings N x D and outputs N x K (float32, on the CPU) by the network of a finished run.

    visible: what the network sees of the faces, "full", "lower" or "upper".
    """
    compute = Compute.best(experiment.precision)
    model = load_model(experiment, run).to(compute.device)
    views = Views(faces, model.input_spec, compute.device)
    embedding, output = predict(model, views, visible, compute=compute)
    return Prediction(embedding.cpu(), output.cpu())
