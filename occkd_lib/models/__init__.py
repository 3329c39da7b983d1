"""Networks. ``build_model(name, outputs)``; every one returns (embedding B x D, output B x K)."""

from occkd_lib.models.base import FaceNet, InputSpec, Prediction, normalize, parameter_count
from occkd_lib.models.build import build_model
from occkd_lib.models.frozen import FrozenSettings, FrozenTrunk, frozen_of
from occkd_lib.models.nets import NETWORKS
from occkd_lib.models.settings import NetworkSettings
from occkd_lib.models.weights.files import weights_root
from occkd_lib.models.weights.load import refuse_other_weights, restore_record

__all__ = [
    "NETWORKS",
    "FaceNet",
    "FrozenSettings",
    "FrozenTrunk",
    "InputSpec",
    "NetworkSettings",
    "Prediction",
    "build_model",
    "frozen_of",
    "normalize",
    "parameter_count",
    "refuse_other_weights",
    "restore_record",
    "weights_root",
]
