"""What public weights files are turned into: RGB order, our layers' names.

Each network's file has the readers of its public weights, and lists them as its ``layouts``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

KERAS_RGB_MEAN = (123.68, 116.779, 103.939)
NO_SCALING = (1.0, 1.0, 1.0)

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Pretrained:
    """A weights file in our terms: RGB order, our layers' names (the last one is ``head``).

    mean, std: the input the weights were made for, None where the file does not tell. network: the
    only network that computes with them what they were trained for, None where the names and
    shapes tell. constants: values of the network's ``constants``, as far as the file has them.
    """

    tensors: Tensors
    note: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = NO_SCALING
    network: str | None = None
    constants: Mapping[str, tuple] = field(default_factory=dict)


Reader = Callable[[Tensors], Pretrained]


def rename(tensors: Tensors, *rules: tuple[str, str]) -> Tensors:
    """Every name with the regular expressions replaced, one after the other."""
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, ours in rules:
            name = re.sub(pattern, ours, name)
        renamed[name] = tensor
    return renamed


def without(tensors: Tensors, *layers: str) -> Tensors:
    """The tensors but for those whose names begin so."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(layers)}


def bgr_to_rgb(tensors: Tensors, first: str) -> Tensors:
    """Filters ``first`` (O x 3 x H x W), made for BGR pixels, for RGB pixels."""
    return {**tensors, first: tensors[first].flip(1)}
