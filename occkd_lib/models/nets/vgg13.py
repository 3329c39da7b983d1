"""VGG-13 of FER+ (Barsoum et al., ICMI 2016): grey 64 x 64 pixels, trained from scratch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import CENTRE, SPREAD, FaceNet, fill, network, rgb_input

# (output channels, convolutions) of each block; a 2x2 pooling and dropout follow each block
BLOCKS = ((64, 2), (128, 2), (256, 3), (256, 3))
HIDDEN = 1024


@network
class Vgg13(FaceNet):
    """10 convolutions, 2 hidden layers; 8,757,704 parameters with 8 outputs. Embedding 1024.

    Layers as in the authors' CNTK code: dropout 0.25 after each pooling, ``dropout`` after fc5
    and fc6, Glorot-uniform weights, zero biases. input_size: 64, or any size from 16 up; fc5
    changes with it. The authors equalise each face and divide it by its standard deviation; fixed
    numbers of the same scale stand here, so that every network sees the same faces.

    The embedding is fc6 after ReLU, before dropout.
    """

    name = "vgg13"
    embedding_dim = HIDDEN

    def __init__(
        self, outputs: int, *, input_size: int = 64, channels: int = 1, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, CENTRE, SPREAD, smallest=16)
        layers: list[nn.Module] = []
        wide = channels
        for width, depth in BLOCKS:
            for _ in range(depth):
                layers += [nn.Conv2d(wide, width, 3, padding=1), nn.ReLU(inplace=True)]
                wide = width
            layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        self.body = nn.Sequential(*layers)
        self.fc5 = nn.Linear(wide * (input_size // 16) ** 2, HIDDEN)
        self.fc6 = nn.Linear(HIDDEN, HIDDEN)
        self.add_head(outputs, dropout)
        fill(self, nn.init.xavier_uniform_, nn.Conv2d, nn.Linear)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc5(self.body(x).flatten(1)))
        return F.relu(self.fc6(self.dropout(x)))
