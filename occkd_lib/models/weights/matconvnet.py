"""Reader of MatConvNet's networks (.mat): SimpleNN ``layers`` and DagNN ``params``.

MatConvNet stores a filter bank as H x W x I x O and a fully connected layer as a convolution
that covers the whole map; the RGB mean stands in meta.normalization.averageImage.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models.weights.pretrained import Pretrained
from occkd_lib.project import one_line

# DagNN.fromSimpleNN names parameters conv1f and conv1b; its Caffe importer conv1_filter, conv1_bias
PARAMETER = re.compile(r"(?P<layer>.+?)(?P<kind>_filter|_bias|f|b)")
LRN = tuple[int, float, float, float]
Layers = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> (filters O x I x H x W, bias O)


def from_matconvnet(path: Path) -> Pretrained:
    """A file in our terms; its last layer is the head, unless the file ends before (fc7, conv5).

    mean: RGB, 0..255 (spatial mean where the file has a mean image). constants: "lrn" (size, kappa,
    alpha, beta) if the file normalises. Raises OcckdError naming the file when it cannot be read or
    holds no such network.
    """
    from scipy.io import loadmat  # half a second

    try:
        content = loadmat(path, struct_as_record=False)
    except NotImplementedError:
        raise OcckdError(f"{path}: MATLAB 7.3 file; save it again with save(..., '-v7')") from None
    except Exception as error:  # scipy raises nearly anything on a damaged file
        why = one_line(error)
        raise OcckdError(f"{path}: not a readable .mat file ({why}): get it again") from None
    network = only(content["net"]) if "net" in content else content
    entries = items(get(network, "layers"))
    try:
        layers = dag_layers(network) or simple_layers(entries)
        lrn = lrn_constants(entries)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise OcckdError(f"{path}: no usable MatConvNet network ({error})") from None
    if not layers:
        raise OcckdError(f"{path}: neither 'layers' (SimpleNN) nor 'params' (DagNN) with weights")
    if len(lrn) > 1:
        raise OcckdError(f"{path}: normalisation layers differ, {sorted(lrn)}: no VGG-f")
    *_, last = layers
    tensors = {}
    for name, (filters, bias) in layers.items():
        is_head = name == last and not re.fullmatch(r"fc[67]|conv\d.*", name)
        ours = "head" if is_head else name
        tensors[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(filters))
        tensors[f"{ours}.bias"] = torch.from_numpy(np.ascontiguousarray(bias))
    classes = len(layers[last][1])
    note = f"MatConvNet, last layer {last} of {classes}"
    if "conv5_3" in layers and classes == 1000:
        note += ": VGG-16 trained on ImageNet, not VGG-face"
    constants = {"lrn": lrn.pop()} if lrn else {}
    return Pretrained(tensors, note, mean_colour(network), constants=constants)


def simple_layers(entries: list[Any]) -> Layers:
    """SimpleNN: a layer has ``weights`` or, in old files, ``filters`` and ``biases``."""
    layers = {}
    for entry in entries:
        if get(entry, "filters") is not None:
            pair = [entry.filters, entry.biases]
        else:
            pair = items(get(entry, "weights"))
        if pair:
            layers[text(entry.name)] = (to_oihw(pair[0]), pair[1].ravel())
    return layers


def dag_layers(network: Any) -> Layers:
    """DagNN: all parameters in one list, filters and bias of a layer told by their names."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for parameter in items(get(network, "params")):
        match = PARAMETER.fullmatch(text(parameter.name))
        if match is None:
            raise ValueError(f"parameter {text(parameter.name)!r} is neither filters nor bias")
        kind = match["kind"].strip("_")[0]
        found.setdefault(match["layer"], {})[kind] = parameter.value
    for layer, pair in found.items():
        if len(pair) != 2:
            raise ValueError(f"layer {layer!r} lacks its filters or its bias")
    return {name: (to_oihw(pair["f"]), pair["b"].ravel()) for name, pair in found.items()}


def lrn_constants(entries: list[Any]) -> set[LRN]:
    """The distinct constants of the normalisation layers, in either form."""
    found = set()
    for entry in entries:
        kind = text(get(entry, "type"))
        if kind in ("normalize", "lrn", "dagnn.LRN"):
            block = only(entry.block) if kind == "dagnn.LRN" else entry
            size, kappa, alpha, beta = block.param.ravel().tolist()
            found.add((int(size), kappa, alpha, beta))
    return found


def mean_colour(network: Any) -> tuple[float, ...] | None:
    """Three channel means; older files keep ``normalization`` outside ``meta``."""
    holder = get(network, "meta") if get(network, "meta") is not None else network
    image = get(get(holder, "normalization"), "averageImage")
    if image is not None and image.size == 3:
        return tuple(float(value) for value in image.ravel())
    if image is not None and image.ndim == 3 and image.shape[-1] == 3:
        return tuple(float(value) for value in image.mean((0, 1), dtype=np.float64))
    return None  # [] or [0 0]: saved without a mean


def to_oihw(filters: np.ndarray) -> np.ndarray:
    """H x W x I x O -> O x I x H x W; MATLAB drops trailing dimensions of size 1."""
    return filters.reshape(*filters.shape, *[1] * (4 - filters.ndim)).transpose(3, 2, 0, 1)


def only(value: Any) -> Any:
    """The content of a 1 x 1 struct or cell array, as often as it is wrapped."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.item()
    return value


def get(struct: Any, field: str) -> Any:
    """A field of a struct (or variable of the file), None where there is none."""
    struct = only(struct)
    return struct.get(field) if isinstance(struct, dict) else getattr(struct, field, None)


def items(array: Any) -> list[Any]:
    """The elements of a cell or struct array, [] for a missing one."""
    return [] if array is None else [only(element) for element in np.ravel(array)]


def text(value: Any) -> str:
    """A MATLAB string, '' for a missing or empty one."""
    return "" if value is None or np.size(value) == 0 else str(np.ravel(value)[0])
