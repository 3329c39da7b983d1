"""VGG-f (CNN-F; Chatfield et al., BMVC 2014), as in MatConvNet's ``imagenet-vgg-f``."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import network, rgb_input
from occkd_lib.models.nets.vgg import Vgg

# Channel means of MatConvNet's VGG-f; a weights file with a mean image of its own replaces them.
MEAN = (122.803, 114.885, 101.572)


def local_response_norm(
    x: Tensor, size: int = 5, kappa: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Tensor:
    """x / (kappa + alpha * sum of x^2 over ``size`` neighbouring channels)^beta, B x C x H x W.

    MatConvNet's ``vl_nnnormalize`` with param = [size kappa alpha beta]. PyTorch's
    LocalResponseNorm divides alpha by ``size``, and its backward pass on a GPU is not
    deterministic; shifted additions are.
    """
    channels = x.shape[1]
    squares = F.pad(x * x, (0, 0, 0, 0, (size - 1) // 2, size // 2))
    total = squares[:, :channels]
    for shift in range(1, size):
        total = total + squares[:, shift : shift + channels]
    return x / (kappa + alpha * total) ** beta


@network
class VggF(Vgg):
    """5 convolutions, 2 hidden layers; 56,770,312 parameters with 8 outputs. Embedding 4096.

    input_size: 224, or any size from 63 up; fc6 changes with it. dropout: after fc6 and fc7.
    """

    name = "vgg_f"
    constants = ("lrn",)

    def __init__(
        self, outputs: int, *, input_size: int = 224, channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.input_spec = rgb_input(input_size, channels, MEAN, smallest=63)
        self.lrn = (5, 2.0, 1e-4, 0.75)  # size, kappa, alpha, beta
        self.conv1 = nn.Conv2d(channels, 64, 11, stride=4)
        self.conv2 = nn.Conv2d(64, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv4 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.relu5 = nn.ReLU()  # a module, so that Grad-CAM finds the map behind it
        self.add_fully_connected(256 * map_side(input_size) ** 2, outputs, dropout)

    def convolutions(self, x: Tensor) -> Tensor:
        x = local_response_norm(F.relu(self.conv1(x)), *self.lrn)
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)  # MatConvNet's pad [0 1 0 1]
        x = local_response_norm(F.relu(self.conv2(x)), *self.lrn)
        x = F.max_pool2d(x, 3, 2)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = self.relu5(self.conv5(x))
        return F.max_pool2d(x, 3, 2)


def map_side(input_size: int) -> int:
    """Side of the last feature map: 224 -> 54 (conv1) -> 27 -> 13 -> 6."""
    conv1 = (input_size - 11) // 4 + 1
    pool1 = (conv1 - 2) // 2 + 1
    pool2 = (pool1 - 3) // 2 + 1
    return (pool2 - 3) // 2 + 1
