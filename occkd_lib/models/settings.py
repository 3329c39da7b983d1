"""``network:`` of a recipe: which network, how large, and with which weights it begins."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet
from occkd_lib.models.build import OPTIONS, build_model, network_kind
from occkd_lib.models.weights.load import restore_record
from occkd_lib.project import one_line
from occkd_lib.settings import Settings

BATCH = 2  # batch norm needs more than one value per channel, wherever a map is 1 x 1


class NetworkSettings(Settings):
    """Which network; ``init`` names pretrained weights ('random' for none)."""

    name: str
    input_size: int | None = Field(None, ge=16)
    channels: Literal[1, 3] | None = None
    width: int | None = Field(None, ge=4, description="channels of the first layer (compact only)")
    init: str = "random"
    dropout: float | None = Field(None, ge=0, lt=1)

    @model_validator(mode="after")
    def _the_network_takes_these_options(self) -> NetworkSettings:
        given = {name: getattr(self, name) for name in OPTIONS}
        try:
            network_kind(self.name, {k: v for k, v in given.items() if v is not None})
        except OcckdError as error:
            raise ValueError(str(error)) from None
        return self

    def build(self, outputs: int) -> FaceNet:
        """A new network; see ``build_model``."""
        return build_model(outputs=outputs, **self.model_dump())

    def rebuild(self, outputs: int, record: dict[str, Any] | None) -> FaceNet:
        """A network for the values of a finished run: its pretrained weights are not read again.

        record: the run's, of how the network began; its input and constants are taken over.
        """
        net = self.model_copy(update={"init": "random"}).build(outputs)
        if record:
            restore_record(net, record)
        return net

    def outline(self, outputs: int) -> FaceNet:
        """The network without values, which takes no memory (device "meta")."""
        with torch.device("meta"):
            return self.rebuild(outputs, None)

    def embedding_dim(self, outputs: int = 1) -> int:
        """Width D of its embedding; takes no memory. OcckdError for a network that does not give
        B x D and B x outputs from images of its input_spec.
        """
        return embedding_dim(self, outputs)


@cache
def embedding_dim(settings: NetworkSettings, outputs: int) -> int:
    """``NetworkSettings.embedding_dim``, once a network."""
    net = settings.outline(outputs)
    spec = net.input_spec
    pixels = torch.empty(BATCH, spec.channels, spec.size, spec.size, device="meta")
    try:
        embedding, output = net(pixels)
    except Exception as error:  # a user's network may raise anything
        raise OcckdError(
            f"network {net.name!r} fails on {tuple(pixels.shape)} images of its own input_spec "
            f"({type(error).__name__}: {one_line(error, 120)})"
        ) from error
    given = tuple(embedding.shape), tuple(output.shape)
    promised = (BATCH, net.embedding_dim), (BATCH, outputs)
    if given != promised:
        raise OcckdError(
            f"network {net.name!r} gives {given}; embedding_dim and outputs promise {promised}"
        )
    return net.embedding_dim
