"""ResNet-50 (He et al., CVPR 2016) in torchvision's form: strides sit in 3x3 convolutions."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

from occkd_lib.models.base import FaceNet
from occkd_lib.models.rgb import IMAGENET_MEAN, IMAGENET_STD, rgb_input


class ResNet50(FaceNet):
    """23,524,424 parameters with 8 outputs. Embedding: global average of the last map, 2048.

    input_size: any; the parameters do not depend on it. dropout: between embedding and head
    (none in the original). State-dict keys are torchvision's, except that ``fc`` is ``head``.
    Random weights are torchvision's: He (fan-out) convolutions, unit batch normalisation.
    """

    name = "resnet50"
    embedding_dim = 2048

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, IMAGENET_MEAN, IMAGENET_STD)
        original = torchvision.models.resnet50(weights=None, num_classes=outputs)
        if channels != 3:
            original.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(original.conv1.weight, mode="fan_out", nonlinearity="relu")
        for name, module in original.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, module)
        self.head = original.fc
        self.dropout = nn.Dropout(dropout)

    def features(self, x: Tensor) -> Tensor:
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, name)(x)
        return x.mean((2, 3))  # AdaptiveAvgPool2d has no deterministic backward pass on GPUs

    def before_head(self, embedding: Tensor) -> Tensor:
        return self.dropout(embedding)
