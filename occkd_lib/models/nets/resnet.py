"""ResNet-18, and ResNet-50 in two forms that differ only in where maps are halved.

He et al., CVPR 2016.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from occkd_lib.models.base import IMAGENET_MEAN, IMAGENET_STD, FaceNet, network, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained, Tensors, bgr_to_rgb, rename

VGGFACE2_MEAN = (131.0912, 103.8827, 91.4953)
VGGFACE2_IDENTITIES = 8631
FIRST = "layer1.0.conv1.weight"  # 3x3 in ResNet-18, 1x1 in ResNet-50


def from_torchvision_resnet(tensors: Tensors) -> Pretrained:
    """torchvision's resnet18 (its blocks begin with a 3x3 convolution) or resnet50 (with a 1x1).

    With VGGFace2's classes a resnet50 is Caffe's network under the same names: those come from the
    .pkl files of VGGFace2-pytorch (BGR pixels).
    """
    renamed = rename(tensors, (r"^fc\.", "head."))
    if tensors[FIRST].shape[-1] == 3:
        note = "torchvision's ResNet-18, taken as trained on ImageNet"
        return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="resnet18")
    if "head.weight" in renamed and len(renamed["head.weight"]) == VGGFACE2_IDENTITIES:
        renamed = bgr_to_rgb(renamed, "conv1.weight")
        return vggface2(renamed, "Caffe's form, BGR turned to RGB")
    note = "torchvision's ResNet-50, taken as trained on ImageNet"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD, network="resnet50")


def from_vggface2_dag(tensors: Tensors) -> Pretrained:
    """Albanie's port of VGGFace2's ResNet-50 (``resnet50_ft_dag.pth``): RGB pixels, Caffe's names.

    conv3_1_1x1_reduce, conv3_1_3x3, conv3_1_1x1_increase and conv3_1_1x1_proj are the conv1,
    conv2, conv3 and downsample of layer2.0.
    """
    parts = {"1x1_reduce": 1, "3x3": 2, "1x1_increase": 3}
    renamed = rename(
        tensors,
        (r"^conv1_7x7_s2\.", "conv1."),
        (r"^conv1_7x7_s2_bn\.", "bn1."),
        (r"^classifier\.", "head."),
        *((rf"_{part}\.", f".conv{number}.") for part, number in parts.items()),
        *((rf"_{part}_bn\.", f".bn{number}.") for part, number in parts.items()),
        (r"_1x1_proj\.", ".downsample.0."),
        (r"_1x1_proj_bn\.", ".downsample.1."),
        *(
            (rf"^conv{stage}_{block}\.", f"layer{stage - 1}.{block - 1}.")
            for stage in range(2, 6)
            for block in range(1, 7)
        ),
    )
    return vggface2(renamed, "port of Caffe's")


def vggface2(renamed: Tensors, origin: str) -> Pretrained:
    """VGGFace2's weights under our names; origin: whose file."""
    note = f"VGGFace2's ResNet-50 (Cao et al., 2018), stride in the first 1x1, {origin}"
    return Pretrained(renamed, note, VGGFACE2_MEAN, network="resnet50_caffe")


class ResNet(FaceNet):
    """What both depths share: torchvision's layers. Embedding: global average of the last map.

    input_size: any; the parameters do not depend on it. dropout: between embedding and head
    (none in the original). State-dict keys are torchvision's, except that ``fc`` is ``head``.
    Random weights are torchvision's: He (fan-out) convolutions, unit batch normalisation.
    """

    original: ClassVar[str]  # its name in torchvision
    layouts: ClassVar = {FIRST: from_torchvision_resnet}

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.0
    ) -> None:
        from torchvision import models  # seconds

        super().__init__()
        self.input_spec = rgb_input(input_size, channels, IMAGENET_MEAN, IMAGENET_STD)
        original = getattr(models, self.original)(weights=None, num_classes=outputs)
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


@network
class ResNet18(ResNet):
    """11,180,616 parameters with 8 outputs. Embedding 512. For input and options see ``ResNet``."""

    name = original = "resnet18"
    embedding_dim = 512


@network
class ResNet50(ResNet):
    """torchvision's form: strides in the 3x3 convolutions. Embedding 2048; options: ``ResNet``.

    23,524,424 parameters with 8 outputs.
    """

    name = original = "resnet50"
    embedding_dim = 2048


@network
class ResNet50Caffe(ResNet50):
    """The form of the authors' Caffe network, which VGGFace2's weights need (Cao et al., FG 2018).

    Strides in the first 1x1 convolution of a stage; the first pooling has no padding but rounds
    up. Layers, shapes and number of parameters are those of ``resnet50``, its outputs are not.
    """

    name = "resnet50_caffe"
    layouts: ClassVar = {**ResNet50.layouts, "conv1_7x7_s2.weight": from_vggface2_dag}

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__(outputs, input_size=input_size, channels=channels, dropout=dropout)
        self.input_spec = rgb_input(input_size, channels, VGGFACE2_MEAN)
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
        for stage in ("layer2", "layer3", "layer4"):
            block = getattr(self, stage)[0]
            block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
