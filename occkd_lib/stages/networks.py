"""Faces of an experiment, and the networks of its finished runs: loaded, and asked."""

from __future__ import annotations

import torch
from torch import Tensor

from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet, data_set, load_once, relabelled
from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, NetworkSettings, Prediction
from occkd_lib.runs import Run
from occkd_lib.tasks import task_of
from occkd_lib.training.device import Compute
from occkd_lib.training.features import views_of
from occkd_lib.training.predict import predict


def faces_of(experiment: Experiment) -> FaceSet:
    """The experiment's faces; kept, because every stage of a notebook asks for them."""
    return load_once(experiment.data, experiment.task)


def test_faces_elsewhere(experiment: Experiment) -> tuple[FaceSet, ...]:
    """Test faces of the data sets in ``test_on``, in the classes that the networks know."""
    classes = classes_of(experiment)
    others = [load_once(s, experiment.task).split("test") for s in experiment.test_on]
    return tuple(relabelled(faces, classes) for faces in others)


def classes_of(experiment: Experiment) -> tuple[str, ...]:
    """The classes of the experiment's targets, () for a quantity; no image is read."""
    return data_set(experiment.data.name).classes_of(experiment.data, experiment.task)


def outputs_of(experiment: Experiment) -> int:
    """How many outputs a network of the experiment has."""
    return task_of(experiment.task).outputs(classes_of(experiment))


def load_network(network: NetworkSettings, outputs: int, run: Run) -> FaceNet:
    """The trained network of a finished run, on the CPU, in eval mode, channels last (faster).

    It sees faces as the pretrained weights that it began with want them (mean, std).
    """
    loaded = run.load_tensors("model")
    if loaded is None and run.restored:
        raise OcckdError(
            f"{run.folder} was restored from published results, which hold no weights: delete that "
            "folder and run its stage"
        )
    if loaded is None:
        raise OcckdError(f"{run.folder} has no model.safetensors: run its stage first")
    model = network.rebuild(outputs, (run.status or {})["initialisation"])
    try:
        model.load_state_dict(loaded[0])
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise OcckdError(f"{run.folder}/model.safetensors does not fit: {reason}") from None
    return model.eval().to(memory_format=torch.channels_last)


def answers_of(
    experiment: Experiment, network: NetworkSettings, run: Run, faces: FaceSet, view: str
) -> Prediction:
    """Embeddings N x D and outputs N x K (float32, on the CPU) by the network of a finished run.

    network: that of the run's stage. view: what it sees of the faces.
    """
    compute = Compute.best(experiment.precision)
    model = load_network(network, outputs_of(experiment), run).to(compute.device)
    views = views_of(faces, model, compute)
    return predict(model, views, view, compute=compute).each(Tensor.cpu)
