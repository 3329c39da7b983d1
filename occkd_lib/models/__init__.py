"""Networks. ``build_model(name, outputs)``; every one returns (embedding B x D, output B x K)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet, InputSpec, Prediction, normalize, parameter_count
from occkd_lib.models.compact import Compact
from occkd_lib.models.dlib_face import DlibFace
from occkd_lib.models.mobilenet_v1 import MobileNetV1
from occkd_lib.models.mobilenet_v2 import MobileNetV2
from occkd_lib.models.resnet50 import ResNet50, ResNet50Caffe
from occkd_lib.models.squeezenet import SqueezeNet
from occkd_lib.models.timm_net import PREFIX, TimmNet
from occkd_lib.models.vgg13 import Vgg13
from occkd_lib.models.vgg_f import VggF
from occkd_lib.models.vgg_face import VggFace
from occkd_lib.models.weights import (
    find_weights,
    load_weights,
    random_record,
    refuse_other_weights,
    restore_record,
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
    "refuse_other_weights",
    "restore_record",
    "weights_root",
]

NETWORKS: dict[str, type[FaceNet]] = {
    kind.name: kind
    for kind in (
        Compact,
        VggF,
        VggFace,
        ResNet50,
        ResNet50Caffe,
        Vgg13,
        MobileNetV1,
        MobileNetV2,
        SqueezeNet,
        DlibFace,
    )
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

    name: one of NETWORKS, or "timm/NAME" for a backbone of timm (``timm.list_models()``).
    init: "random", a weights file, or the name of one in ``weights_root()``. What was loaded
    stands in ``net.init_record``: {source, sha256, note, mean, std, lrn, loaded, missing}; a file
    may change ``net.input_spec``. Random values come from torch's global generator: seed it first.

    Raises OcckdError for an unknown network, an option it does not take, or unusable weights.
    """
    kind: Callable[..., FaceNet]
    if name.startswith(PREFIX):
        kind = partial(TimmNet, name)
    elif name in NETWORKS:
        kind = NETWORKS[name]
    else:
        raise OcckdError(f"no network {name!r}; there are: {', '.join(NETWORKS)}, timm/NAME")
    given: dict[str, Any] = {
        "input_size": input_size,
        "channels": channels,
        "width": width,
        "dropout": dropout,
    }
    options = {option: value for option, value in given.items() if value is not None}
    taken = inspect.signature(kind).parameters
    for option in options:
        if option not in taken:
            names = ", ".join(known for known in given if known in taken)
            raise OcckdError(f"network {name!r} takes no option {option!r}; it takes: {names}")
    net = kind(outputs, **options)
    record = random_record(net) if init == "random" else load_weights(net, find_weights(init))
    net.init_record = record
    return net
