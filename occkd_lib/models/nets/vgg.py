"""What VGG-f and VGG-face share: two wide hidden layers, the face embedding, the initialisation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import FaceNet

HIDDEN = 4096


class Vgg(FaceNet):
    """Convolutions, then fc6, fc7 (4096, ReLU, dropout) and the head (fc8).

    Layers carry MatConvNet's names, so that its files load by name; only fc8 is ``head``.
    The embedding is fc7 after ReLU, before dropout: dropout after fc7 acts on the way to the
    head only, dropout after fc6 acts on the embedding too (in training mode).
    """

    def add_fully_connected(self, flat: int, outputs: int, dropout: float) -> None:
        """``flat``: values in the last feature map. Convolutions must have been added before."""
        self.embedding_dim = HIDDEN
        self.fc6 = nn.Linear(flat, HIDDEN)
        self.fc7 = nn.Linear(HIDDEN, HIDDEN)
        self.add_head(outputs, dropout)
        self.apply(initialize)

    def convolutions(self, x: Tensor) -> Tensor:
        """Normalised pixels B x C x H x W -> last feature map, B x C' x H' x W'."""
        raise TypeError(f"{type(self).__name__} must define convolutions()")

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc6(self.convolutions(x).flatten(1)))
        return F.relu(self.fc7(self.dropout(x)))


def initialize(module: nn.Module) -> None:
    """torchvision's rule for VGG: He (fan-out) convolutions, N(0, 0.01) linear layers, zero biases.

    It keeps the first logits of the order of 1 for pixels in 0..255. A VGG without batch
    normalisation still starts slowly from random weights: the papers start from pretrained ones.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, nn.Conv2d | nn.Linear):
        assert module.bias is not None
        nn.init.zeros_(module.bias)
