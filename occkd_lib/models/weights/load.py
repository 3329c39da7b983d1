"""Load pretrained weights into a network, and record what was loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import NETWORKS, FaceNet, read_layout
from occkd_lib.models.weights.files import find_weights, read_state_dict, sha256
from occkd_lib.models.weights.matconvnet import from_matconvnet
from occkd_lib.models.weights.pretrained import Pretrained

COUNTER = "num_batches_tracked"  # of batch norm: no weight


def initialise(net: FaceNet, init: str) -> None:
    """Keep the random values of ``net`` ("random"), or load what ``init`` means (a file, a name).

    Sets ``net.init_record``: {source, sha256, note, mean, std, constants, loaded, missing}; a file
    may change ``net.input_spec`` and ``net.constants``.
    """
    if init == "random":
        parameters = list(dict(net.named_parameters()))
        facts = {"source": "random", "sha256": None, "note": "all values random"}
        net.init_record = record(net, **facts, loaded=[], missing=parameters)
    else:
        load_weights(net, find_weights(init))


def load_weights(net: FaceNet, path: Path) -> None:
    """Copy the weights in ``path`` into ``net``; see ``initialise``.

    Every convolution and normalisation of ``net`` must be in the file, with its shape, and
    nothing the network lacks. Fully connected layers may be missing, and the head may have
    another shape (another number of classes): those keep their random values, and the record
    says so. Raises OcckdError otherwise, and then changes nothing.
    """
    pretrained = read_weights(net, path)
    if pretrained.network not in (None, net.name):
        raise OcckdError(
            f"{path}: weights of {pretrained.network}, not of {net.name}: set the network's name "
            f"to {pretrained.network!r}, or give weights of {net.name}"
        )
    chosen, missing = matched(net, pretrained, path)
    net.load_state_dict(chosen, strict=False)
    notes = [pretrained.note]
    if missing:
        notes.append(f"random: {', '.join(missing)}")
    if pretrained.mean is None:
        notes.append("no mean in the file, the network's own is kept")
    else:
        net.input_spec = replace(net.input_spec, mean=pretrained.mean, std=pretrained.std)
    for name in net.constants:
        if name in pretrained.constants:
            setattr(net, name, pretrained.constants[name])
        else:
            notes.append(f"no {name} in the file, the network's own is kept")
    facts = {"source": path.name, "sha256": sha256(path), "note": "; ".join(notes)}
    net.init_record = record(net, **facts, loaded=list(chosen), missing=missing)


def read_weights(net: FaceNet, path: Path) -> Pretrained:
    """A weights file by its layout: one that ``net`` knows, another network's, or MatConvNet's.

    Raises OcckdError when it is none of those.
    """
    if path.suffix == ".mat":
        return from_matconvnet(path)
    tensors = read_state_dict(path)
    layouts = {mark: read for kind in NETWORKS.values() for mark, read in kind.layouts.items()}
    try:
        found = net.read(tensors) or read_layout(layouts, tensors)
    except KeyError as error:
        raise OcckdError(f"{path}: {error} is not there: get the file again") from None
    if found is None:
        first = next(iter(sorted(tensors)), "nothing")
        raise OcckdError(
            f"{path}: unknown layout (first tensor: {first}): neither the names of {net.name}'s "
            f"layers nor one of the layouts told by {', '.join(layouts)}; a reader of another one "
            "goes to the network's file, as one of its `layouts`"
        )
    return found


def matched(
    net: FaceNet, pretrained: Pretrained, path: Path
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors that ``net`` takes, and the names of its values that stay random."""
    own = {k: v for k, v in net.state_dict().items() if not k.endswith(COUNTER)}
    chosen = {}
    for name, tensor in pretrained.tensors.items():
        if name.endswith(COUNTER):
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
    return chosen, missing


def record(net: FaceNet, **facts: Any) -> dict[str, Any]:
    """What a run keeps of a network's beginning."""
    constants = {name: getattr(net, name) for name in net.constants}
    spec = net.input_spec
    return {**facts, "mean": spec.mean, "std": spec.std, "constants": constants}


def restore_record(net: FaceNet, record: dict[str, Any]) -> None:
    """Give a rebuilt ``net`` what its weights file changed besides values: see load_weights().

    A state dict holds neither the input's mean and deviation nor the network's constants.
    """
    mean, std = tuple(record["mean"]), tuple(record["std"])
    net.input_spec = replace(net.input_spec, mean=mean, std=std)
    for name in net.constants:
        setattr(net, name, tuple(record["constants"][name]))  # JSON has lists
    net.init_record = record


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
