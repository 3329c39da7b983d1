"""VGG-face: VGG-16 "D" (Simonyan & Zisserman, 2015), trained on faces by Parkhi et al., 2015."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.rgb import rgb_input
from occkd_lib.models.vgg import Vgg

MEAN = (129.1863, 104.7624, 93.5940)
# (output channels, convolutions) of each block; a 2x2 pooling follows each block
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VggFace(Vgg):
    """13 convolutions, 2 hidden layers; 134,293,320 parameters with 8 outputs. Embedding 4096.

    input_size: 224, or any size from 32 up; fc6 changes with it. dropout: after fc6 and fc7.
    """

    name = "vgg_face"

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
        self.add_fully_connected(wide * (input_size // 32) ** 2, outputs, dropout)

    def convolutions(self, x: Tensor) -> Tensor:
        for block, (_, depth) in enumerate(BLOCKS, start=1):
            for index in range(1, depth + 1):
                x = F.relu(getattr(self, f"conv{block}_{index}")(x))
            x = F.max_pool2d(x, 2, 2)
        return x
