"""MobileNet v2, width 1.0 (Sandler et al., CVPR 2018), in torchvision's form."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from occkd_lib.models.base import IMAGENET_MEAN, IMAGENET_STD, FaceNet, network, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained, Tensors, rename


def from_mobilenet_v2(tensors: Tensors) -> Pretrained:
    """MobileNet v2: torchvision's names, or those of tonylins' pytorch-mobilenet-v2.

    tonylins numbers the layers of a block one by one, torchvision nests convolution and norm.
    """
    renamed = rename(tensors, (r"^features\.", "body."), (r"^classifier\.1\.", "head."))
    if "body.1.conv.0.weight" in renamed:
        blocks = {
            r"body\.1": {0: "0.0", 1: "0.1", 3: "1", 4: "2"},
            r"body\.(?:[2-9]|\d\d)": {0: "0.0", 1: "0.1", 3: "1.0", 4: "1.1", 6: "2", 7: "3"},
        }
        for block, layers in blocks.items():
            rules = ((rf"^({block}\.conv)\.{k}\.(\w+)$", rf"\1.{v}.\2") for k, v in layers.items())
            renamed = rename(renamed, *rules)
    note = "MobileNet v2, taken as trained on ImageNet"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="mobilenet_v2")


@network
class MobileNetV2(FaceNet):
    """2,234,120 parameters with 8 outputs. Embedding: global average of the last map, 1280.

    input_size: any; the parameters do not depend on it. dropout: between embedding and head.
    ``body`` is torchvision's ``features``.
    """

    name = "mobilenet_v2"
    layouts: ClassVar = {
        "features.1.conv.0.weight": from_mobilenet_v2,
        "features.1.conv.0.0.weight": from_mobilenet_v2,
    }
    embedding_dim = 1280

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.2
    ) -> None:
        from torchvision.models import mobilenet_v2  # seconds

        super().__init__()
        self.input_spec = rgb_input(input_size, channels, IMAGENET_MEAN, IMAGENET_STD)
        self.body = mobilenet_v2(weights=None).features
        if channels != 3:
            self.body[0][0] = nn.Conv2d(channels, 32, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(self.body[0][0].weight, mode="fan_out")
        self.add_head(outputs, dropout)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))
