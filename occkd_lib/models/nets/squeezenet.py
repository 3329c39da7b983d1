"""SqueezeNet 1.1 (Iandola et al., 2016), in torchvision's form."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from occkd_lib.models.base import IMAGENET_MEAN, IMAGENET_STD, FaceNet, network, rgb_input
from occkd_lib.models.weights.pretrained import (
    KERAS_RGB_MEAN,
    Pretrained,
    Tensors,
    bgr_to_rgb,
    rename,
    without,
)


def from_keras_squeezenet(tensors: Tensors) -> Pretrained:
    """SqueezeNet 1.1 under Caffe's names (keras-squeezenet), made for BGR pixels minus a mean."""
    fires = dict(zip("23456789", (3, 4, 6, 7, 9, 10, 11, 12), strict=True))
    renamed = rename(
        without(tensors, "conv10."),
        (r"^conv1\.", "body.0."),
        (r"^fire(\d)/squeeze1x1", r"fire\1/squeeze"),
        *((f"^fire{fire}/", f"body.{place}.") for fire, place in fires.items()),
    )
    renamed = bgr_to_rgb(renamed, "body.0.weight")
    note = "SqueezeNet 1.1 trained on ImageNet (Keras); conv10 is left out"
    return Pretrained(renamed, note, KERAS_RGB_MEAN, network="squeezenet1_1")


def from_torchvision_squeezenet(tensors: Tensors) -> Pretrained:
    """torchvision's squeezenet1_1; its classifier is left out."""
    renamed = rename(without(tensors, "classifier."), (r"^features\.", "body."))
    note = "torchvision's SqueezeNet, taken as trained on ImageNet; its classifier is left out"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="squeezenet1_1")


@network
class SqueezeNet(FaceNet):
    """726,600 parameters with 8 outputs. Embedding: global average of fire9, 512.

    The original classifies every place of the map, cuts negative scores off and averages them:
    it has no layer before the last that is one vector. Here fire9 is averaged and then
    classified, so the original's last layer (conv10) has no place and is never loaded.

    input_size: 227, or any from 17 up; the parameters do not depend on it. dropout: between
    embedding and head. ``body`` is torchvision's ``features``.
    """

    name = "squeezenet1_1"
    layouts: ClassVar = {
        "features.3.squeeze.weight": from_torchvision_squeezenet,
        "fire2/squeeze1x1.weight": from_keras_squeezenet,
    }
    embedding_dim = 512

    def __init__(
        self, outputs: int, *, input_size: int = 227, channels: int = 3, dropout: float = 0.5
    ) -> None:
        from torchvision.models import squeezenet1_1  # seconds

        super().__init__()
        self.input_spec = rgb_input(input_size, channels, IMAGENET_MEAN, IMAGENET_STD, smallest=17)
        self.body = squeezenet1_1(weights=None).features
        if channels != 3:
            self.body[0] = nn.Conv2d(channels, 64, 3, stride=2)
            nn.init.kaiming_uniform_(self.body[0].weight)
            nn.init.zeros_(self.body[0].bias)
        self.add_head(outputs, dropout)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))
