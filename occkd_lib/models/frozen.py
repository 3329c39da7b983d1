"""A frozen trunk that has seen faces before, and a small head that learns from what it sees.

The trunk's answer to a face never changes, so it is computed once (``training.features``), and a
training takes seconds: twenty seeds of every method, where a whole network affords three.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet, InputSpec, Prediction
from occkd_lib.settings import Settings

PREFIX = "trunk."  # of the values that no run keeps


class FrozenSettings(Settings):
    """What is read off the trunk, and what learns from it.

    layers: names of the trunk's modules (``dict(net.named_modules())``) whose outputs are the
    features. grid: a map is averaged to grid x grid cells. hidden: width of the embedding.
    dropout: of the features and of the embedding, in training.
    """

    layers: tuple[str, ...] = Field(min_length=1)
    grid: int = Field(2, ge=1)
    hidden: int = Field(256, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)


class _Enough(Exception):
    """The last layer that is read has been reached."""


class FrozenTrunk(FaceNet):
    """A network of the book that learns nothing any more, under a head that does.

    features F -> batch norm (without weights) -> FC -> batch norm -> ReLU = embedding -> FC. It
    takes pixels B x C x S x S, or what ``read_off`` made of them before, B x F. Its state has no
    values of the trunk, which come from the weights file. Raises OcckdError for a layer that the
    trunk does not have.
    """

    def __init__(self, trunk: FaceNet, outputs: int, settings: FrozenSettings) -> None:
        super().__init__()
        self.name = f"{trunk.name} (frozen)"
        del trunk.head
        self.trunk, self.settings = trunk.eval().requires_grad_(False), settings
        known = dict(trunk.named_modules())
        for layer in settings.layers:
            if layer not in known:
                names = ", ".join(name for name in known if name)
                raise OcckdError(f"frozen.layers: {trunk.name} has no {layer!r}; it has: {names}")
        self.feature_width = self._feature_width()
        self.embedding_dim = settings.hidden
        self.scale = nn.BatchNorm1d(self.feature_width, affine=False)
        self.drop = nn.Dropout(settings.dropout)
        self.fc = nn.Linear(self.feature_width, settings.hidden, bias=False)
        self.norm = nn.BatchNorm1d(settings.hidden)
        self.add_head(outputs, settings.dropout)
        self.register_state_dict_post_hook(_keep_what_is_learnt)
        self.register_load_state_dict_pre_hook(_add_the_trunk)

    def _feature_width(self) -> int:
        """F, found on the meta device, which computes nothing."""
        trunk = copy.deepcopy(self.trunk).to("meta")
        pixels = torch.empty(1, *self.input_spec.shape, device="meta")
        return read_off(trunk, pixels, self.settings).shape[1]

    @property
    def trunks(self) -> tuple[FaceNet, ...]:
        return (self.trunk,)

    @property
    def input_spec(self) -> InputSpec:  # type: ignore[override]
        """Of its trunk."""
        return self.trunk.input_spec

    @property
    def init_record(self) -> dict[str, Any]:  # type: ignore[override]
        """Where the trunk's values are from."""
        return self.trunk.init_record

    @property
    def reads(self) -> dict[str, Any]:
        """All that decides what ``read_off`` makes of a face; JSON-able."""
        spec = self.input_spec
        half = {"half": spec.half} if spec.half else {}
        return {
            "trunk": self.trunk.name, "weights": self.init_record["sha256"],
            "input": [spec.size, spec.channels, *spec.mean, *spec.std],
            "layers": self.settings.layers, "grid": self.settings.grid, **half,
        }  # fmt: skip

    def read_off(self, pixels: Tensor) -> Tensor:
        """Normalised pixels B x C x S x S -> features B x F."""
        return read_off(self.trunk, pixels, self.settings)

    def features(self, x: Tensor) -> Tensor:
        seen = self.read_off(x) if x.ndim == 4 else x
        return F.relu(self.norm(self.fc(self.drop(self.scale(seen)))))

    def forward(self, x: Tensor) -> Prediction:
        embedding = self.features(x)
        return Prediction(embedding, self.head(self.dropout(embedding)))

    def train(self, mode: bool = True) -> FrozenTrunk:
        super().train(mode)
        self.trunk.eval()
        return self


def frozen_of(model: FaceNet) -> FrozenTrunk | None:
    """The frozen trunk that a network is, or that its streams stand on; None for none."""
    first = model if isinstance(model, FrozenTrunk) else model.trunks[0]
    return first if isinstance(first, FrozenTrunk) else None


def _keep_what_is_learnt(
    model: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]
) -> None:
    """Take the trunk's values out of a state that is being saved."""
    for name in [name for name in state if name.startswith(prefix + PREFIX)]:
        del state[name]


def _add_the_trunk(model: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Put the trunk's values into a state that is being loaded."""
    trunk: Any = model.trunk
    state.update({f"{prefix}{PREFIX}{name}": value for name, value in trunk.state_dict().items()})


def read_off(trunk: nn.Module, pixels: Tensor, settings: FrozenSettings) -> Tensor:
    """The outputs of the layers, in their order, maps averaged to grid x grid: B x F."""
    with _outputs(trunk, settings.layers) as seen, suppress(_Enough):
        trunk.features(pixels)  # type: ignore[operator]
    parts = []
    for layer in settings.layers:
        if layer not in seen:
            raise OcckdError(f"frozen.layers: {layer!r} takes no part in the trunk's features")
        part = seen[layer]
        parts.append(F.adaptive_avg_pool2d(part, settings.grid) if part.ndim == 4 else part)
    return torch.cat([part.flatten(1) for part in parts], 1)


@contextmanager
def _outputs(trunk: nn.Module, layers: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Layer -> its output, filled by a forward pass, which ends when the last one is there."""
    seen: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        seen[name] = output
        if len(seen) == len(layers):
            raise _Enough

    modules = dict(trunk.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name in layers
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
