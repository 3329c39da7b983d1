"""VGG-face: VGG-16 "D" (Simonyan & Zisserman, 2015), trained on faces by Parkhi et al., 2015."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import IMAGENET_MEAN, IMAGENET_STD, network, rgb_input
from occkd_lib.models.nets.vgg import Vgg
from occkd_lib.models.weights.pretrained import (
    KERAS_RGB_MEAN,
    Pretrained,
    Tensors,
    bgr_to_rgb,
    rename,
)

MEAN = (129.1863, 104.7624, 93.5940)
IDENTITIES = 2622
# (output channels, convolutions) of each block; a 2x2 pooling follows each block
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def from_keras_vgg16(tensors: Tensors) -> Pretrained:
    """VGG-16's convolutions, blockB_convC, made for BGR pixels minus a mean."""
    renamed = rename(tensors, (r"^block(\d)_conv(\d)", r"conv\1_\2"))
    renamed = bgr_to_rgb(renamed, "conv1_1.weight")
    note = "VGG-16 trained on ImageNet (Keras): not VGG-face"
    return Pretrained(renamed, note, KERAS_RGB_MEAN, network="vgg_face")


def from_torchvision_vgg16(tensors: Tensors) -> Pretrained:
    """torchvision's vgg16, with or without its classifier."""
    names = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "head"}
    index = 0
    for block, (_, depth) in enumerate(BLOCKS, start=1):
        for number in range(1, depth + 1):
            names[f"features.{index}"] = f"conv{block}_{number}"
            index += 2  # a ReLU follows each convolution
        index += 1  # a pooling follows each block
    renamed = {}
    for key, tensor in tensors.items():
        layer, _, kind = key.rpartition(".")
        renamed[f"{names.get(layer, layer)}.{kind}"] = tensor
    note = "torchvision's VGG-16, taken as trained on ImageNet: not VGG-face"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="vgg_face")


def from_vgg_face_dag(tensors: Tensors) -> Pretrained:
    """Albanie's port of a MatConvNet VGG-16 (``vgg_face_dag.pth``): RGB pixels, conv1_1 ... fc8."""
    renamed = rename(tensors, (r"^fc8\.", "head."))
    classes = len(renamed["head.weight"]) if "head.weight" in renamed else 0
    if classes != IDENTITIES:
        return Pretrained(renamed, f"VGG-16 of {classes} classes: not VGG-face", network="vgg_face")
    note = "VGG-face (Parkhi et al., 2015), 2622 identities, port of MatConvNet's"
    return Pretrained(renamed, note, MEAN, network="vgg_face")


@network
class VggFace(Vgg):
    """13 convolutions, 2 hidden layers; 134,293,320 parameters with 8 outputs. Embedding 4096.

    input_size: 224, or any size from 32 up; fc6 changes with it. dropout: after fc6 and fc7.
    """

    name = "vgg_face"
    layouts: ClassVar = {
        "block1_conv1.weight": from_keras_vgg16,
        "features.28.weight": from_torchvision_vgg16,
        "conv1_1.weight": from_vgg_face_dag,
    }

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, MEAN, smallest=32)
        wide = channels
        for block, (width, depth) in enumerate(BLOCKS, start=1):
            for index in range(1, depth + 1):
                conv = nn.Conv2d(wide, width, 3, padding=1)
                self.add_module(f"conv{block}_{index}", conv)
                wide = width
        self.relu5_3 = nn.ReLU()  # a module, so that Grad-CAM finds the map behind it
        self.add_fully_connected(wide * (input_size // 32) ** 2, outputs, dropout)

    def convolutions(self, x: Tensor) -> Tensor:
        for block, (_, depth) in enumerate(BLOCKS, start=1):
            for index in range(1, depth + 1):
                rectify = self.relu5_3 if (block, index) == (5, 3) else F.relu
                x = rectify(getattr(self, f"conv{block}_{index}")(x))
            x = F.max_pool2d(x, 2, 2)
        return x
