"""Which weights file is whose: told by the name of one tensor, or MatConvNet's .mat."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models.dlib_face import from_dlib
from occkd_lib.models.matconvnet import read_matconvnet
from occkd_lib.models.mobilenet_v1 import from_mobilenet_v1
from occkd_lib.models.mobilenet_v2 import from_mobilenet_v2
from occkd_lib.models.pretrained import Pretrained, Tensors, read_state_dict
from occkd_lib.models.resnet50 import from_torchvision_resnet, from_vggface2_dag
from occkd_lib.models.squeezenet import from_keras_squeezenet, from_torchvision_squeezenet
from occkd_lib.models.vgg_face import (
    from_keras_vgg16,
    from_torchvision_vgg16,
    from_vgg_face_dag,
)

# a name that only this layout has -> its reader; the more special names come first
LAYOUTS: dict[str, Callable[[Tensors], Pretrained]] = {
    "block1_conv1.weight": from_keras_vgg16,
    "features.3.squeeze.weight": from_torchvision_squeezenet,
    "features.1.conv.0.weight": from_mobilenet_v2,
    "features.1.conv.0.0.weight": from_mobilenet_v2,
    "features.0.weight": from_torchvision_vgg16,
    "layer1.0.conv1.weight": from_torchvision_resnet,
    "conv1_1.weight": from_vgg_face_dag,
    "conv1_7x7_s2.weight": from_vggface2_dag,
    "fire2/squeeze1x1.weight": from_keras_squeezenet,
    "conv_dw_1.weight": from_mobilenet_v1,
    "conv32_down.conv.filters": from_dlib,
}


def read_weights(path: Path) -> Pretrained:
    """Read a file and recognise its layout. Raises OcckdError when it is none of those known."""
    if path.suffix == ".mat":
        return from_matconvnet(path)
    tensors = read_state_dict(path)
    for mark, reader in LAYOUTS.items():
        if mark in tensors:
            try:
                return reader(tensors)
            except KeyError as error:
                raise OcckdError(f"{path}: {error} is not there: get the file again") from None
    first = next(iter(sorted(tensors)), "nothing")
    raise OcckdError(
        f"{path}: unknown layout (first tensor: {first}): the layouts known are told by "
        f"{', '.join(LAYOUTS)}, or are a MatConvNet .mat file; see occkd_lib/models/layouts.py"
    )


def from_matconvnet(path: Path) -> Pretrained:
    """MatConvNet file; its last layer is the head, unless the file ends before (fc7, conv5)."""
    network = read_matconvnet(path)
    *_, last = network.layers
    tensors = {}
    for name, (filters, bias) in network.layers.items():
        is_head = name == last and not re.fullmatch(r"fc[67]|conv\d.*", name)
        ours = "head" if is_head else name
        tensors[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(filters))
        tensors[f"{ours}.bias"] = torch.from_numpy(np.ascontiguousarray(bias))
    classes = len(network.layers[last][1])
    note = f"MatConvNet, last layer {last} of {classes}"
    if "conv5_3" in network.layers and classes == 1000:
        note += ": VGG-16 trained on ImageNet, not VGG-face"
    return Pretrained(tensors, note, network.mean, lrn=network.lrn)
