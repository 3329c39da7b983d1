"""Pretrained weights: find the file, recognise its layout, load it, and record what was loaded.

Layouts: MatConvNet .mat (VGG-f, VGG-face); state dicts (.safetensors, .pth) of torchvision's
VGG-16 and ResNet-50; the convolutions of VGG-16 under Keras' names (BGR). Never by pickle.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet
from occkd_lib.models.matconvnet import LRN, read_matconvnet
from occkd_lib.models.rgb import IMAGENET_MEAN, IMAGENET_STD, NO_SCALING
from occkd_lib.models.vgg_f import VggF
from occkd_lib.models.vgg_face import BLOCKS
from occkd_lib.project import project_root

SUFFIXES = (".safetensors", ".mat", ".pth", ".pt")
KERAS_BGR_MEAN = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class Pretrained:
    """A weights file in our terms: RGB order, our layers' names (the last one is ``head``).

    mean, std: the input the weights were made for, None where the file does not tell.
    """

    tensors: dict[str, Tensor]
    note: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = NO_SCALING
    lrn: LRN | None = None


def random_record(net: FaceNet) -> dict[str, Any]:
    """The record of a network without pretrained weights; same keys as load_weights()."""
    return {
        "source": "random",
        "sha256": None,
        "note": "all values random",
        "mean": net.input_spec.mean,
        "std": net.input_spec.std,
        "loaded": [],
        "missing": list(dict(net.named_parameters())),
    }


def weights_root() -> Path:
    """Folder of weights files: $OCCKD_WEIGHTS, <data root>/../weights or ./weights."""
    if "OCCKD_WEIGHTS" in os.environ:
        return Path(os.environ["OCCKD_WEIGHTS"]).resolve()
    candidates = [Path.cwd() / "weights", project_root() / "weights"]
    if "OCCKD_DATA" in os.environ:
        candidates.insert(0, Path(os.environ["OCCKD_DATA"]).resolve().parent / "weights")
    return next((folder for folder in candidates if folder.is_dir()), candidates[-1])


def find_weights(init: str) -> Path:
    """The file that ``init`` means: a path, or a name in weights_root(), suffix or not."""
    root = weights_root()
    named = [root / f"{init}{suffix}" for suffix in ("", *SUFFIXES)]
    for path in (Path(init), project_root() / init, *named):
        if path.is_file():
            return path
    there = sorted(path.name for path in root.glob("*") if path.suffix in SUFFIXES)
    have = f"which has {', '.join(there)}" if there else "which has none"
    raise OcckdError(f"no weights {init!r}: neither a file nor a name in {root}, {have}")


def load_weights(net: FaceNet, path: Path) -> dict[str, Any]:
    """Copy the weights in ``path`` into ``net``, adapt its input_spec, and return the record.

    Every convolution and normalisation of ``net`` must be in the file, with its shape, and
    nothing the network lacks. Fully connected layers may be missing, and the head may have
    another shape (another number of classes): those keep their random values, and the record
    ({source, sha256, note, mean, std, loaded, missing}) says so. Raises OcckdError otherwise.
    """
    pretrained = read_weights(path)
    own = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    chosen = {}
    for name, tensor in pretrained.tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in own:
            raise OcckdError(f"{path}: {net.name} has no {name}: weights of another network")
        if own[name].ndim == 2:
            tensor = tensor.flatten(1)  # O x I x H x W of a fully connected layer
        if tensor.shape == own[name].shape:
            chosen[name] = tensor
        elif not name.startswith("head."):
            raise OcckdError(
                f"{path}: {name} is {tuple(tensor.shape)}, {net.name} needs "
                f"{tuple(own[name].shape)}: build it with the input_size and channels of "
                "these weights (mostly 224 and 3), or give weights of this network"
            )
    if "head.weight" not in chosen or "head.bias" not in chosen:
        chosen = {k: v for k, v in chosen.items() if not k.startswith("head.")}
    missing = [name for name in own if name not in chosen]
    for name in missing:
        if not name.startswith(("fc", "head.")):
            raise OcckdError(f"{path}: {name} {tuple(own[name].shape)} of {net.name} is not there")
    net.load_state_dict(chosen, strict=False)
    notes = [pretrained.note]
    if missing:
        notes.append(f"random: {', '.join(missing)}")
    if pretrained.mean is None:
        notes.append("no mean in the file, the network's own is kept")
    else:
        net.input_spec = replace(net.input_spec, mean=pretrained.mean, std=pretrained.std)
    if isinstance(net, VggF):
        if pretrained.lrn is None:
            notes.append("no LRN constants in the file, the network's own are kept")
        else:
            net.lrn = pretrained.lrn
    return {
        "source": path.name,
        "sha256": sha256(path),
        "note": "; ".join(notes),
        "mean": net.input_spec.mean,
        "std": net.input_spec.std,
        "loaded": list(chosen),
        "missing": missing,
    }


def read_weights(path: Path) -> Pretrained:
    """Read a file and recognise its layout. Raises OcckdError when it is neither of those known."""
    if path.suffix == ".mat":
        return from_matconvnet(path)
    tensors = read_state_dict(path)
    if "block1_conv1.weight" in tensors:
        return from_keras_vgg16(tensors)
    if "features.0.weight" in tensors:
        return from_torchvision_vgg16(tensors)
    if "layer1.0.conv1.weight" in tensors:
        return from_torchvision_resnet(tensors)
    first = next(iter(sorted(tensors)), "nothing")
    raise OcckdError(
        f"{path}: unknown layout (first tensor: {first}): needs torchvision's vgg16 or resnet50, "
        "Keras' VGG-16 (block1_conv1.weight) or a MatConvNet .mat file"
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors by name from .safetensors or .pth / .pt (tensors only: no code is run)."""
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
        reason = " ".join(str(error).split())[:200]
        raise OcckdError(f"{path}: not readable ({reason}): get the file again") from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise OcckdError(f"{path}: no plain state dict: save model.state_dict() by itself")
    return dict(content)


def from_keras_vgg16(tensors: dict[str, Tensor]) -> Pretrained:
    """VGG-16's convolutions, blockB_convC, made for BGR pixels minus a mean: turned to RGB."""
    renamed = {re.sub(r"^block(\d)_conv(\d)", r"conv\1_\2", k): v for k, v in tensors.items()}
    renamed["conv1_1.weight"] = renamed["conv1_1.weight"].flip(1)
    note = "VGG-16 trained on ImageNet (Keras): not VGG-face"
    return Pretrained(renamed, note, mean=KERAS_BGR_MEAN[::-1])


def from_torchvision_vgg16(tensors: dict[str, Tensor]) -> Pretrained:
    """torchvision's vgg16, with or without its classifier."""
    names = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "head"}
    index = 0
    for block, (_, depth) in enumerate(BLOCKS, start=1):
        for number in range(1, depth + 1):
            names[f"features.{index}"] = f"conv{block}_{number}"
            index += 2  # a ReLU follows each convolution
        index += 1  # a pooling follows each block
    renamed = {}
    for key, tensor in tensors.items():
        layer, _, kind = key.rpartition(".")
        renamed[f"{names.get(layer, layer)}.{kind}"] = tensor
    note = "torchvision's VGG-16, taken as trained on ImageNet: not VGG-face"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD)


def from_torchvision_resnet(tensors: dict[str, Tensor]) -> Pretrained:
    """torchvision's resnet50: only ``fc`` has another name here."""
    renamed = {re.sub(r"^fc\.", "head.", k): v for k, v in tensors.items()}
    note = "torchvision's ResNet-50, taken as trained on ImageNet"
    return Pretrained(renamed, note, IMAGENET_MEAN, IMAGENET_STD)


def from_matconvnet(path: Path) -> Pretrained:
    """MatConvNet file; its last layer is the head, unless the file ends before (fc7, conv5)."""
    network = read_matconvnet(path)
    *_, last = network.layers
    tensors = {}
    for name, (filters, bias) in network.layers.items():
        is_head = name == last and not re.fullmatch(r"fc[67]|conv\d.*", name)
        ours = "head" if is_head else name
        tensors[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(filters))
        tensors[f"{ours}.bias"] = torch.from_numpy(np.ascontiguousarray(bias))
    classes = len(network.layers[last][1])
    note = f"MatConvNet, last layer {last} of {classes}"
    if "conv5_3" in network.layers and classes == 1000:
        note += ": VGG-16 trained on ImageNet, not VGG-face"
    return Pretrained(tensors, note, network.mean, lrn=network.lrn)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
