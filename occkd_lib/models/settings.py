"""``network:`` of a recipe: which network, how large, and with which weights it begins."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import torch
from pydantic import Field, field_validator, model_validator

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import CosineLinear, FaceNet, Half
from occkd_lib.models.build import OPTIONS, build_model, network_kind
from occkd_lib.models.frozen import FrozenSettings, FrozenTrunk
from occkd_lib.models.streams import Streams, StreamSettings
from occkd_lib.models.weights.load import restore_record
from occkd_lib.project import one_line
from occkd_lib.settings import Settings

BATCH = 2  # batch norm needs more than one value per channel, wherever a map is 1 x 1


class NetworkSettings(Settings):
    """Which network; ``init`` names pretrained weights ('random' for none)."""

    name: str
    input_size: int | None = Field(None, ge=16, le=1024)
    channels: Literal[1, 3] | None = None
    width: int | None = Field(
        None, ge=4, le=1024, description="channels of the first layer (compact only)"
    )
    init: str = "random"
    dropout: float | None = Field(None, ge=0, lt=1)
    resize: int | None = Field(
        None, ge=16, le=1024, description="see InputSpec: windows of a larger face"
    )
    test_window: Literal["centre", "whole"] = "centre"
    half: Half | None = Field(
        None, description="the rows that reach it, alone", exclude_if=lambda v: v is None
    )
    cosine_head: bool = Field(False, description="outputs are cosines, as loss ldam wants them")
    streams: StreamSettings | None = None
    frozen: FrozenSettings | None = Field(None, description="only a head on the trunk learns")

    @field_validator("streams", mode="before")
    @classmethod
    def _trunks_alone(cls, raw: Any) -> Any:
        return {"trunks": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _the_network_takes_these_options(self) -> NetworkSettings:
        given = {name: getattr(self, name) for name in OPTIONS}
        try:
            network_kind(self.name, {k: v for k, v in given.items() if v is not None})
        except OcckdError as error:
            raise ValueError(str(error)) from None
        if self.cosine_head and self.has_coarse:
            raise ValueError("cosine_head: of the fine stream alone, or of a network without any")
        if self.frozen and self.resize:
            raise ValueError("frozen does not go with resize: the trunk looks once")
        if self.half and self.resize:
            raise ValueError("half does not go with resize: a window has another middle")
        if self.frozen and self.init == "random":
            raise ValueError("frozen: a trunk of random values knows nothing: set init")
        return self

    @property
    def has_coarse(self) -> bool:
        """Does it predict coarse labels, too?"""
        return self.streams is not None and self.streams.trunks != "fine"

    def build(self, outputs: int) -> FaceNet:
        """A new network; see ``build_model``. OcckdError where ``resize`` is below its input."""
        options = {name: getattr(self, name) for name in OPTIONS}
        trunks = 2 if self.streams and self.streams.trunks == "two" else 1
        nets = [build_model(self.name, outputs, init=self.init, **options) for _ in range(trunks)]
        for net in nets:
            if self.resize and self.resize < net.input_spec.size:
                raise OcckdError(
                    f"resize is {self.resize}, but {net.name} sees {net.input_spec.size} pixels: "
                    "set input_size to the window's size, resize to the whole face's"
                )
            whole = self.test_window == "whole"
            net.input_spec = replace(
                net.input_spec, resize=self.resize, whole_test=whole, half=self.half
            )
        if self.frozen:
            nets = [FrozenTrunk(net, outputs, self.frozen) for net in nets]
        net = nets[0]
        if self.streams:
            net = Streams(nets[0], nets[1] if trunks == 2 else None, outputs, self.streams)
        if self.cosine_head:
            net.head = CosineLinear(net.embedding_dim, outputs)
        return net

    def rebuild(self, outputs: int, record: dict[str, Any] | None) -> FaceNet:
        """A network for the values of a finished run: its pretrained weights are not read again.

        record: the run's, of how the network began; its input and constants are taken over. Of a
        frozen trunk a run keeps no values: its file is read, and must be the one of the record.
        """
        if self.frozen and record:
            net = self.build(outputs)
            if net.init_record["sha256"] != record["sha256"]:
                raise OcckdError(
                    f"{self.init} is not the weights file that the frozen trunk began with: "
                    "restore that one, or delete what was trained on it"
                )
            return net
        net = self.model_copy(update={"init": "random"}).build(outputs)
        if record:
            for trunk in net.trunks:
                restore_record(trunk, record)
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
    pixels = torch.empty(BATCH, *net.input_spec.shape, device="meta")
    try:
        embedding, output, _ = net(pixels)
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
