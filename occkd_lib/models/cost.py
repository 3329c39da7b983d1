"""What a network costs: parameters and floating-point operations, counted without computing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.func import functional_call

from occkd_lib.models.base import FaceNet, parameter_count
from occkd_lib.models.frozen import frozen_of
from occkd_lib.models.settings import BATCH, NetworkSettings


@dataclass(frozen=True)
class Cost:
    """parameters: trainable values. forward, training: FLOP per image (training: both ways)."""

    parameters: int
    forward: float
    training: float


def network_cost(network: NetworkSettings, outputs: int) -> Cost:
    """Cost of ``network.build(outputs)``; takes no memory for its values.

    Raises OcckdError for a network of timm that there is not, that cannot be built, or that fails
    on images of its own input_spec.
    """
    network.embedding_dim(outputs)
    model = network.outline(outputs)
    return Cost(parameter_count(model), flop(model), flop(model, training=True))


def flop(model: FaceNet, *, training: bool = False) -> float:
    """FLOP of one image's forward pass at ``model.input_spec``; training: and its backward pass.

    A multiply-add counts as 2; convolutions and matrix products only, as usual: the rest is about a
    hundredth of them. Training costs about three times the forward pass (the first layer needs no
    gradient of the pixels); frozen layers save their share. Counted on the meta device: the model
    lends only its shapes, its values and batch statistics stay as they are.
    """
    from torch.utils.flop_counter import FlopCounterMode  # a seventh of a second

    state = {
        name: torch.empty_like(value, device="meta").requires_grad_(value.requires_grad)
        for name, value in (*model.named_parameters(), *model.named_buffers())
    }
    shape: tuple[int, ...] = model.input_spec.shape
    frozen = frozen_of(model)
    if frozen:  # the trunk looks once; what is repeated is the head
        shape = (frozen.feature_width,)
    pixels = torch.empty(BATCH, *shape, device="meta")
    backward = {torch.ops.aten.convolution_backward: convolution_backward_flop}
    counter = FlopCounterMode(display=False, custom_mapping=backward)
    with torch.enable_grad(), counter:
        output = functional_call(model, state, (pixels,)).output
        if training:
            output.sum().backward()
    return counter.get_total_flops() / BATCH


def convolution_backward_flop(
    gradient: torch.Size, pixels: torch.Size, filters: torch.Size, *rest: Any, **out: Any
) -> int:
    """FLOP of a convolution's backward pass: each gradient asked for costs a forward pass.

    In place of torch's own formula, which counts the filters' gradient of a depthwise convolution
    once per channel too often. ``rest`` ends with the mask (pixels', filters', bias' gradient).
    """
    asked = sum(rest[-1][:2])
    return asked * 2 * math.prod(gradient) * math.prod(filters[1:])
