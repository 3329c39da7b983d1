"""A compact VGG for laptops: grey 48 x 48 pixels, batch norm, global average pooling.

Barsoum's VGG-13 idea (blocks of 3x3 convolutions, pooling between them), made so small that two
CPU cores train it: a 5x5 convolution with stride 2 replaces the costly first block.
"""

from __future__ import annotations

from torch import Tensor, nn

from occkd_lib.models.base import CENTRE, SPREAD, FaceNet, network, rgb_input


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@network
class Compact(FaceNet):
    """width 24, one channel, 48 pixels: 0.64 M parameters, 42 M multiply-adds a face.

    embedding: 8 x width values after the last ReLU, averaged over the face.
    """

    name = "compact"

    def __init__(
        self,
        outputs: int,
        *,
        input_size: int = 48,
        channels: int = 1,
        width: int = 24,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        w = width
        self.input_spec = rgb_input(input_size, channels, CENTRE, SPREAD)
        self.embedding_dim = 8 * w
        self.body = nn.Sequential(
            block(channels, w, kernel=5, stride=2),
            block(w, 2 * w),
            nn.MaxPool2d(2),
            block(2 * w, 4 * w),
            block(4 * w, 4 * w),
            nn.MaxPool2d(2),
            block(4 * w, 8 * w),
            block(8 * w, 8 * w),
        )
        self.add_head(outputs, dropout)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))
