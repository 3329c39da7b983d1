"""What every network of the book has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Prediction(NamedTuple):
    """embedding: B x D, the layer before the last (the face embedding). output: B x K."""

    embedding: Tensor
    output: Tensor


@dataclass(frozen=True)
class InputSpec:
    """What a network wants to see: (pixels 0..255 - mean) / std, per channel."""

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class FaceNet(nn.Module):
    """Base of all networks. Subclasses set the first four attributes and define ``features``.

    init_record: where the initial weights came from; ``build_model`` fills it in.
    """

    name: str
    input_spec: InputSpec
    embedding_dim: int
    head: nn.Linear
    init_record: dict[str, Any]

    def features(self, x: Tensor) -> Tensor:
        """Normalised pixels B x C x H x W -> embedding B x D."""
        raise TypeError(f"{type(self).__name__} must define features()")

    def forward(self, x: Tensor) -> Prediction:
        embedding = self.features(x)
        return Prediction(embedding, self.head(self.before_head(embedding)))

    def before_head(self, embedding: Tensor) -> Tensor:
        """Hook for dropout between embedding and head; the embedding itself stays clean."""
        return embedding


def parameter_count(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def normalize(pixels: Tensor, spec: InputSpec) -> Tensor:
    """uint8 B x C x H x W -> float32, (pixels - mean) / std per channel."""
    shape = (1, spec.channels, 1, 1)
    mean = torch.tensor(spec.mean, device=pixels.device).view(shape)
    std = torch.tensor(spec.std, device=pixels.device).view(shape)
    return (pixels.float() - mean) / std
