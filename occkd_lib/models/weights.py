"""Pretrained weights: find the file, load it, and record what was loaded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet
from occkd_lib.models.layouts import read_weights
from occkd_lib.models.pretrained import SUFFIXES, Pretrained, Tensors, read_state_dict
from occkd_lib.models.timm_net import TimmNet
from occkd_lib.models.vgg_f import VggF
from occkd_lib.project import project_root


def random_record(net: FaceNet) -> dict[str, Any]:
    """The record of a network without pretrained weights; same keys as load_weights()."""
    return {
        "source": "random",
        "sha256": None,
        "note": "all values random",
        "mean": net.input_spec.mean,
        "std": net.input_spec.std,
        "lrn": getattr(net, "lrn", None),
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
    ({source, sha256, note, mean, std, lrn, loaded, missing}) says so. Raises OcckdError otherwise.
    """
    if isinstance(net, TimmNet):
        pretrained = for_timm(net, read_state_dict(path))
    else:
        pretrained = read_weights(path)
    if pretrained.network not in (None, net.name):
        raise OcckdError(
            f"{path}: weights of {pretrained.network}, not of {net.name}: set the network's name "
            f"to {pretrained.network!r}, or give weights of {net.name}"
        )
    own = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    chosen = {}
    for name, tensor in pretrained.tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in own:
            raise OcckdError(f"{path}: {net.name} has no {name}: weights of another network")
        if own[name].ndim == 2 < tensor.ndim:
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
        "lrn": getattr(net, "lrn", None),
        "loaded": list(chosen),
        "missing": missing,
    }


def refuse_other_weights(init: str, record: dict[str, Any], run: Path) -> None:
    """Raise OcckdError if the weights file that the finished ``run`` began with was replaced.

    A finished run does without the file; only one that is there can contradict its record.
    """
    if record["sha256"] is None:
        return
    try:
        path = find_weights(init)
    except OcckdError:
        return
    if sha256(path) != record["sha256"]:
        raise OcckdError(
            f"{path} is not the file that {run} began with: restore it, or delete that folder and "
            "all that was made from it"
        )


def restore_record(net: FaceNet, record: dict[str, Any]) -> None:
    """Give a rebuilt ``net`` what its weights file changed besides values: see load_weights().

    A state dict does not hold the input's mean and deviation, nor the constants of VGG-f's LRN.
    """
    mean, std = tuple(record["mean"]), tuple(record["std"])
    net.input_spec = replace(net.input_spec, mean=mean, std=std)
    if isinstance(net, VggF):
        size, kappa, alpha, beta = record["lrn"]
        net.lrn = (size, kappa, alpha, beta)
    net.init_record = record


def for_timm(net: TimmNet, tensors: Tensors) -> Pretrained:
    """A state dict of timm's (or of torchvision's, where names agree), without its classifier."""
    classifiers = tuple(f"{layer}." for layer in net.classifiers)
    kept = {f"backbone.{k}": v for k, v in tensors.items() if not k.startswith(classifiers)}
    return Pretrained(kept, f"weights for {net.name}; a classifier in the file is left out")


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
