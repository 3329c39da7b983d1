"""MobileNet v1, width 1.0 (Howard et al., 2017), with batch norm folded into the convolutions.

The form of Savchenko's face network (PeerJ CS 5:e197, 2019): identities of VGGFace2, then age and
gender. TensorFlow's padding, ReLU6.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import FaceNet, fill, he, network, rgb_input
from occkd_lib.models.weights.pretrained import (
    KERAS_RGB_MEAN,
    Pretrained,
    Tensors,
    bgr_to_rgb,
    without,
)

# (output channels, stride) of each depthwise-separable pair
PAIRS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def from_mobilenet_v1(tensors: Tensors) -> Pretrained:
    """Savchenko's MobileNet v1 with age and gender heads, made for BGR pixels minus a mean."""
    kept = without(tensors, "feats.", "gender_pred.", "age_pred.")
    note = "MobileNet v1 trained on VGGFace2 (Savchenko, 2019); its age and gender layers left out"
    return Pretrained(
        bgr_to_rgb(kept, "conv1.weight"), note, KERAS_RGB_MEAN, network="mobilenet_v1"
    )


@network
class MobileNetV1(FaceNet):
    """3,204,232 parameters with 8 outputs. Embedding: global average of the last map, 1024.

    Without batch norm: made to be initialised with pretrained weights. Random values are He's
    (fan-in), which keep the scale of the maps. input_size: any; the parameters do not depend on
    it. dropout: between embedding and head (none in the original).
    """

    name = "mobilenet_v1"
    layouts: ClassVar = {"conv_dw_1.weight": from_mobilenet_v1}
    embedding_dim = 1024

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, KERAS_RGB_MEAN)
        self.conv1 = nn.Conv2d(channels, 32, 3, stride=2)
        wide = 32
        for index, (width, stride) in enumerate(PAIRS, start=1):
            depthwise = nn.Conv2d(wide, wide, 3, stride=stride, groups=wide)
            self.add_module(f"conv_dw_{index}", depthwise)
            self.add_module(f"conv_pw_{index}", nn.Conv2d(wide, width, 1))
            wide = width
        self.last_relu6 = nn.ReLU6()  # a module, so that Grad-CAM finds the map behind it
        self.add_head(outputs, dropout)
        fill(self, he, nn.Conv2d)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu6(self.conv1(pad_same(x, 2)))
        for index, (_, stride) in enumerate(PAIRS, start=1):
            x = F.relu6(getattr(self, f"conv_dw_{index}")(pad_same(x, stride)))
            rectify = self.last_relu6 if index == len(PAIRS) else F.relu6
            x = rectify(getattr(self, f"conv_pw_{index}")(x))
        return x.mean((2, 3))


def pad_same(x: Tensor, stride: int) -> Tensor:
    """TensorFlow's 'SAME' for a 3x3 kernel, B x C x H x W: the odd row goes to the bottom.

    Output sides are ceil(side / stride); with stride 2 an even side gets one row, below.
    """
    pads = []
    for side in (x.shape[3], x.shape[2]):
        total = max(0, (-(-side // stride) - 1) * stride + 3 - side)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)
