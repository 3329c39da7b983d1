"""All values of a network, a frozen trunk's too: from a state to tensors for a file, and back."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, FrozenTrunk, restore_record
from occkd_lib.models.frozen import PREFIX

Dtype = Literal["fp16", "fp32"]


def values_of(net: FaceNet, dtype: Dtype) -> dict[str, Tensor]:
    """Every value of ``net`` by name, on the CPU; the run of a frozen trunk keeps only the head's.

    fp16: matrices and filters only, where none of them is too large for it. Vectors (biases and
    statistics of norms) stay float32: they weigh nothing, and a small variance would become 0.
    """
    state = dict(net.state_dict())
    for prefix, frozen in frozen_in(net).items():
        trunk = frozen.trunk.state_dict()
        state.update({f"{prefix}{PREFIX}{name}": value for name, value in trunk.items()})
    return {name: as_stored(value.detach().cpu(), dtype) for name, value in state.items()}


def as_stored(value: Tensor, dtype: Dtype) -> Tensor:
    """A tensor as the file has it, without gaps and sharing its memory with none."""
    if value.is_floating_point():
        value = value.float()
        half = value.half()
        if dtype == "fp16" and value.ndim > 1 and bool(half.isfinite().all()):
            value = half
    return value.contiguous(memory_format=torch.contiguous_format).clone()


def put_into(net: FaceNet, values: dict[str, Tensor]) -> None:
    """The inverse of ``values_of``; RuntimeError for values of another network."""
    rest = {k: v.float() if v.is_floating_point() else v for k, v in values.items()}
    for prefix, frozen in frozen_in(net).items():
        begin = prefix + PREFIX
        trunk = {name: rest.pop(name) for name in list(rest) if name.startswith(begin)}
        plain = {name.removeprefix(begin): value for name, value in trunk.items()}
        frozen.trunk.load_state_dict(plain)
    net.load_state_dict(rest)  # a frozen trunk adds its own values itself


def frozen_in(net: FaceNet) -> dict[str, FrozenTrunk]:
    """Prefix of its names in a state ("" or "fine.") -> frozen trunk, for all there are."""
    found = {name: part for name, part in net.named_modules() if isinstance(part, FrozenTrunk)}
    return {f"{name}." if name else "": part for name, part in found.items()}


def begin_as(net: FaceNet, record: dict) -> None:
    """Give a rebuilt network what its pretrained weights changed of it, a frozen trunk's, too."""
    for trunk in net.trunks:
        restore_record(trunk.trunk if isinstance(trunk, FrozenTrunk) else trunk, record)


def hash_of(values: dict[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        flat = value.contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())  # numpy has no bfloat16
    return digest.hexdigest()


def checked_faces(faces: Tensor, channels: int, size: int) -> Tensor:
    """``faces`` themselves; OcckdError unless they are uint8 N x channels x size x size."""
    wanted = (channels, size, size)
    if faces.dtype != torch.uint8 or faces.ndim != 4 or tuple(faces.shape[1:]) != wanted:
        given = f"{str(faces.dtype).removeprefix('torch.')} {tuple(faces.shape)}"
        raise OcckdError(
            f"faces are {given}; this model takes uint8 N x {' x '.join(map(str, wanted))}: crop "
            "them as its data are (see its card)"
        )
    return faces
