"""What VGG-f and VGG-face share: two wide hidden layers, the face embedding, the initialisation."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.models.base import FaceNet, fill, he

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
        # torchvision's rule keeps the first logits of the order of 1 for pixels in 0..255. Without
        # batch norm it still starts slowly: the papers start from pretrained values.
        fill(self, partial(he, mode="fan_out"), nn.Conv2d)
        fill(self, partial(nn.init.normal_, std=0.01), nn.Linear)

    def convolutions(self, x: Tensor) -> Tensor:
        """Normalised pixels B x C x H x W -> last feature map, B x C' x H' x W'."""
        raise TypeError(f"{type(self).__name__} must define convolutions()")

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc6(self.convolutions(x).flatten(1)))
        return F.relu(self.fc7(self.dropout(x)))
