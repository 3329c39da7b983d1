"""dlib's face ResNet (King, ``dlib_face_recognition_resnet_model_v1``): 29 layers, 128 values.

A ResNet-34 (He et al., CVPR 2016) with fewer layers and half the filters; shortcuts have no
weights: where a block halves the map they are averaged, and missing channels are zero.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import FaceNet, fill, he, network, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained, Tensors

MEAN = (122.782, 117.001, 104.298)
STD = (256.0, 256.0, 256.0)
# block -> output channels; a name with "down" halves the map
BLOCKS = {
    "conv32_1": 32, "conv32_2": 32, "conv32_3": 32,
    "conv64_down": 64, "conv64_1": 64, "conv64_2": 64, "conv64_3": 64,
    "conv128_down": 128, "conv128_1": 128, "conv128_2": 128,
    "conv256_down": 256, "conv256_1": 256, "conv256_2": 256, "conv256_down_out": 256,
}  # fmt: skip


def from_dlib(tensors: Tensors) -> Pretrained:
    """dlib's face ResNet as in face-api.js; scale and bias of each channel go into the filters."""
    folded = {"fc.weight": tensors["fc"].T.contiguous()}
    for name, filters in tensors.items():
        if name.endswith("conv.filters"):
            layer = name.removesuffix(".conv.filters")
            scale = tensors[f"{layer}.scale.weights"]
            bias = tensors[f"{layer}.conv.bias"] * scale + tensors[f"{layer}.scale.biases"]
            folded[f"{layer}.weight"] = filters.float() * scale.view(-1, 1, 1, 1)
            folded[f"{layer}.bias"] = bias
    note = "dlib's face ResNet (King), trained on about 3 M faces, scales folded into filters"
    return Pretrained(folded, note, MEAN, STD, network="dlib_face")


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut; batch norm is folded into them."""

    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        stride, padding = (2, 0) if down else (1, 1)
        self.down = down
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(F.relu(self.conv1(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            low, right = x.shape[2] - out.shape[2], x.shape[3] - out.shape[3]
            out = F.pad(out, (0, right, 0, low))
            x = F.pad(x, (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
        return F.relu(out + x)


@network
class DlibFace(FaceNet):
    """5,608,520 parameters with 8 outputs. Embedding: dlib's face descriptor, 128.

    dlib compares descriptors by their Euclidean distance; below 0.6 it takes two faces for one
    person's. Without batch norm: made to be initialised with dlib's weights. Random values are
    He's, and zero in each block's second convolution, so that every block starts as its shortcut.
    input_size: 150, or any from 103 up. dropout: between embedding and head (none in the original).
    """

    name = "dlib_face"
    layouts: ClassVar = {"conv32_down.conv.filters": from_dlib}
    embedding_dim = 128

    def __init__(
        self, outputs: int, *, input_size: int = 150, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, MEAN, STD, smallest=103)
        self.conv32_down = nn.Conv2d(channels, 32, 7, stride=2)
        wide = 32
        for block, width in BLOCKS.items():
            self.add_module(block, Block(wide, width, down="down" in block))
            wide = width
        self.fc = nn.Linear(wide, self.embedding_dim, bias=False)
        self.add_head(outputs, dropout)
        fill(self, he, nn.Conv2d)
        for block in BLOCKS:
            nn.init.zeros_(getattr(self, block).conv2.weight)

    def features(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv32_down(x)), 3, 2)
        for block in BLOCKS:
            x = getattr(self, block)(x)
        return self.fc(x.mean((2, 3)))
