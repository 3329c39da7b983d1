"""What public weights files are turned into: RGB order, our layers' names.

Each network's file has the readers of its public weights; ``layouts`` lists them. State dicts hold
tensors only: no code of a file is ever run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models.matconvnet import LRN
from occkd_lib.models.rgb import NO_SCALING
from occkd_lib.project import one_line

SUFFIXES = (".safetensors", ".mat", ".pth", ".pt")
KERAS_RGB_MEAN = (123.68, 116.779, 103.939)

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Pretrained:
    """A weights file in our terms: RGB order, our layers' names (the last one is ``head``).

    mean, std: the input the weights were made for, None where the file does not tell.
    network: the only network that computes with them what they were trained for, None where the
    names and shapes tell.
    """

    tensors: Tensors
    note: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = NO_SCALING
    lrn: LRN | None = None
    network: str | None = None


def read_state_dict(path: Path) -> Tensors:
    """Tensors by name from .safetensors or .pth / .pt (tensors only: no code is run)."""
    if path.suffix == ".pkl":
        raise OcckdError(
            f"{path}: a pickle may run any code when it is read, so it never is: have whoever "
            "trusts it save its tensors as .safetensors (or take the .pth form of these weights)"
        )
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        elif path.suffix in (".pth", ".pt"):
            content = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise OcckdError(f"{path}: weights are read from {', '.join(SUFFIXES)} files only")
    except OcckdError:
        raise
    except Exception as error:  # a damaged file raises nearly anything
        reason = one_line(error, 200)
        raise OcckdError(f"{path}: not readable ({reason}): get the file again") from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise OcckdError(f"{path}: no plain state dict: save model.state_dict() by itself")
    return dict(content)


def rename(tensors: Tensors, *rules: tuple[str, str]) -> Tensors:
    """Every name with the regular expressions replaced, one after the other."""
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, ours in rules:
            name = re.sub(pattern, ours, name)
        renamed[name] = tensor
    return renamed


def without(tensors: Tensors, *layers: str) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(layers)}


def bgr_to_rgb(tensors: Tensors, first: str) -> Tensors:
    """Filters ``first`` (O x 3 x H x W), made for BGR pixels, for RGB pixels."""
    return {**tensors, first: tensors[first].flip(1)}
