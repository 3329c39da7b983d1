"""Networks. ``build_model(name, outputs)``; every one returns (embedding B x D, output B x K)."""

from __future__ import annotations

import inspect

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet, InputSpec, Prediction, normalize, parameter_count
from occkd_lib.models.compact import Compact
from occkd_lib.models.resnet50 import ResNet50
from occkd_lib.models.vgg_f import VggF
from occkd_lib.models.vgg_face import VggFace
from occkd_lib.models.weights import (
    find_weights,
    load_weights,
    random_record,
    weights_root,
)

__all__ = [
    "NETWORKS",
    "FaceNet",
    "InputSpec",
    "Prediction",
    "build_model",
    "normalize",
    "parameter_count",
    "weights_root",
]

NETWORKS: dict[str, type[FaceNet]] = {
    "compact": Compact,
    "vgg_f": VggF,
    "vgg_face": VggFace,
    "resnet50": ResNet50,
}


def build_model(
    name: str,
    outputs: int,
    *,
    input_size: int | None = None,
    channels: int | None = None,
    width: int | None = None,
    dropout: float | None = None,
    init: str = "random",
) -> FaceNet:
    """A network with ``outputs`` outputs; options left out take the network's own defaults.

    init: "random", a weights file, or the name of one in ``weights_root()``. What was loaded
    stands in ``net.init_record``: {source, sha256, note, mean, std, loaded, missing}; a file may
    change ``net.input_spec``. Random values come from torch's global generator: seed it first.

    Raises OcckdError for an unknown network, an option it does not take, or unusable weights.
    """
    if name not in NETWORKS:
        raise OcckdError(f"no network {name!r}; there are: {', '.join(NETWORKS)}")
    given = {"input_size": input_size, "channels": channels, "width": width, "dropout": dropout}
    options = {option: value for option, value in given.items() if value is not None}
    taken = inspect.signature(NETWORKS[name]).parameters
    for option in options:
        if option not in taken:
            names = ", ".join(known for known in given if known in taken)
            raise OcckdError(f"network {name!r} takes no option {option!r}; it takes: {names}")
    net = NETWORKS[name](outputs, **options)
    record = random_record(net) if init == "random" else load_weights(net, find_weights(init))
    net.init_record = record
    return net
