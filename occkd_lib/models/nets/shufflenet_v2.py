"""ShuffleNet v2, width 1.0 (Ma et al., ECCV 2018), in torchvision's form."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from occkd_lib.models.base import IMAGENET_MEAN, IMAGENET_STD, FaceNet, network, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained, Tensors, rename

LAYERS = ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5")


def from_torchvision_shufflenet(tensors: Tensors) -> Pretrained:
    """torchvision's shufflenet_v2_x1_0."""
    note = "torchvision's ShuffleNet v2, taken as trained on ImageNet"
    renamed = rename(tensors, (r"^fc\.", "head."))
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="shufflenet_v2")


@network
class ShuffleNetV2(FaceNet):
    """1,261,804 parameters with 8 outputs. Embedding: global average of conv5, 1024.

    input_size: any; the parameters do not depend on it. dropout: between embedding and head (none
    in the original). State-dict keys are torchvision's, except that ``fc`` is ``head``.
    """

    name = "shufflenet_v2"
    layouts: ClassVar = {"stage2.0.branch2.5.weight": from_torchvision_shufflenet}
    embedding_dim = 1024

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.0
    ) -> None:
        from torchvision.models import shufflenet_v2_x1_0  # seconds

        super().__init__()
        self.input_spec = rgb_input(input_size, channels, IMAGENET_MEAN, IMAGENET_STD)
        original = shufflenet_v2_x1_0(weights=None, num_classes=outputs)
        if channels != 3:
            original.conv1[0] = nn.Conv2d(channels, 24, 3, stride=2, padding=1, bias=False)
        for name in LAYERS:
            self.add_module(name, getattr(original, name))
        self.head = original.fc
        self.dropout = nn.Dropout(dropout)

    def features(self, x: Tensor) -> Tensor:
        for name in LAYERS:
            x = getattr(self, name)(x)
        return x.mean((2, 3))
