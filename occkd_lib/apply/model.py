"""A trained network in one folder that describes itself: saved, read, and asked.

    <folder>/model.safetensors   every value of the network; metadata "facts": JSON, see ``Facts``
    <folder>/card.md             the same in words

Nothing is unpickled, no other file is needed: also what a frozen trunk knows lies in it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from occkd_lib.apply.card import card
from occkd_lib.apply.facts import (
    FORMAT,
    NORMAL_95,
    Beginning,
    Calibration,
    Crop,
    Data,
    Facts,
    Licence,
    Origin,
    Result,
    pattern,
    read_facts,
)
from occkd_lib.apply.tensors import Dtype, begin_as, checked_faces, hash_of, put_into, values_of
from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, normalize
from occkd_lib.occlusion import varies
from occkd_lib.project import one_line, write_atomically
from occkd_lib.tasks import task_of
from occkd_lib.training.views import render, window

__all__ = [
    "FORMAT", "Beginning", "Calibration", "Crop", "Data", "FaceModel", "Facts", "Licence",
    "Origin", "Result", "Said", "read_model", "rounded", "save_model",
]  # fmt: skip
FILE, CARD = "model.safetensors", "card.md"


@dataclass(frozen=True)
class Said:
    """What a network says of N faces.

    probabilities: N x K, calibrated, in the order of ``Facts.classes``; None of a quantity.
    answer: N names of classes, or N float32 (years). low, high: N, the 95 % interval of a quantity;
    None of classes, and where no validation faces told how large errors are.
    """

    probabilities: Tensor | None
    answer: list[str] | Tensor
    low: Tensor | None = None
    high: Tensor | None = None


@dataclass(frozen=True)
class FaceModel:
    """A network (in eval mode) and all that is known of it."""

    facts: Facts
    net: FaceNet

    def predict(self, faces: Tensor, *, batch_size: int = 32) -> Said:
        """What the network says of faces.

        faces: N x C x S x S uint8, cut out as the training data are (``facts.crop``), with nothing
        hidden yet or already hidden by the same half. Raises OcckdError for others, and for a
        network that answers with no numbers.
        """
        output = self.outputs(faces, batch_size=batch_size)
        task, facts = task_of(self.facts.task), self.facts
        decided = task.decide(output)
        if task.continuous:
            return with_interval(decided, facts)
        said = probabilities(output, facts.calibration.temperature, softmax=task.softmax)
        return Said(said, task.words(decided, facts.classes))

    @torch.no_grad()
    def outputs(self, faces: Tensor, *, batch_size: int = 32) -> Tensor:
        """What the network itself gives, N x outputs, float32 on the CPU; see ``predict``."""
        if batch_size < 1:
            raise OcckdError(f"batch_size is {batch_size}: it must be 1 or more")
        checked_faces(faces, self.facts.crop.channels, self.facts.crop.size)
        device = next(self.net.parameters()).device
        parts = [torch.empty(0, self.facts.outputs)]
        for part in faces.split(batch_size) if len(faces) else ():
            seen = inputs(part.to(device), self.facts.visible, self.net)
            parts.append(self.net(seen).output.float().cpu())
        output = torch.cat(parts)
        if not output.isfinite().all():
            raise OcckdError(f"{self.facts.title!r} says no number of a face: get its folder again")
        return output


def inputs(faces: Tensor, visible: str, net: FaceNet) -> Tensor:
    """Native faces as ``net`` takes them, on the way that all faces of a training go."""
    spec = net.input_spec
    seen = window(render(faces, hidden_as(visible), spec), spec, None)
    return normalize(seen, spec).contiguous(memory_format=torch.channels_last)


def hidden_as(visible: str) -> str:
    """The view that a photo is shown on: nothing is hidden where real covers are meant, as by a
    model that was trained on drawn masks."""
    return "full" if varies(visible) else visible


def probabilities(output: Tensor, temperature: float, *, softmax: bool) -> Tensor:
    """Outputs N x K (logits), or N x 1 (the logit of the second of two classes) -> N x classes."""
    scaled = output.float() / temperature
    if softmax:
        return scaled.softmax(1)
    return torch.cat([(-scaled).sigmoid(), scaled.sigmoid()], 1)


def with_interval(years: Tensor, facts: Facts) -> Said:
    """N answers of a quantity with their 95 % intervals, where the size of errors is known."""
    if facts.calibration.spread is None:
        return Said(None, years)
    reach = NORMAL_95 * facts.calibration.spread
    return Said(None, years, (years - reach).clamp_min(0), years + reach)


def save_model(
    folder: str | Path, net: FaceNet, facts: Facts, *, dtype: Dtype = "fp16"
) -> FaceModel:
    """Write ``net`` and ``facts`` to ``folder`` (made if need be); the model as it can be read.

    dtype: "fp16" halves the file; see ``values_of``. Sets facts.dtype, sha256 and check. Raises
    OcckdError when the folder cannot be written, or when what is written could not be read.
    """
    folder, values = Path(folder), values_of(net, dtype)
    if folder.is_file():
        raise OcckdError(f"{folder} is a file: give a folder for the model")
    made = rebuilt(facts, values, folder)
    said = made.predict(pattern(facts.crop))
    numbers = said.answer[:, None] if isinstance(said.answer, Tensor) else said.probabilities
    assert numbers is not None
    known: dict[str, Any] = {"dtype": dtype, "sha256": hash_of(values), "check": numbers.tolist()}
    facts = Facts.model_validate({**facts.model_dump(), **known})
    header = {"facts": facts.model_dump_json()}
    write_atomically(folder / FILE, lambda aside: save_file(values, aside, metadata=header))
    write_atomically(folder / CARD, lambda aside: aside.write_text(card(facts), encoding="utf-8"))
    return FaceModel(facts, made.net)


def rounded(net: FaceNet, facts: Facts, dtype: Dtype) -> FaceModel:
    """The network as ``save_model`` would store it, so that numbers can be measured on that."""
    return rebuilt(facts, values_of(net, dtype), "the network")


def read_model(folder: str | Path, *, own_code: bool = False) -> FaceModel:
    """The model in a folder that ``save_model`` wrote, on the CPU, in eval mode.

    own_code: let it import the network or view of its author, which must be at hand. Raises
    OcckdError for a file that is missing or damaged, another format version, values that are not
    those of its hash, or that do not fit the network.
    """
    path = Path(folder) / FILE
    facts = facts_in(folder, own_code=own_code)
    try:
        with safe_open(path, framework="pt") as file:
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise OcckdError(f"{path} is damaged ({one_line(error)}): get it again") from None
    if hash_of(values) != facts.sha256:
        raise OcckdError(f"{path}: its values are not those it was written with: get it again")
    return rebuilt(facts, values, path)


def facts_in(folder: str | Path, *, own_code: bool = False) -> Facts:
    """What a folder says of itself; no value is read. Errors: see ``read_model``."""
    path = Path(folder) / FILE
    if not os.path.isfile(path):
        raise OcckdError(f"{path} is missing: give a folder that 'occkd models publish' wrote")
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            text = (file.metadata() or {}).get("facts", "")
    except (SafetensorError, OSError) as error:
        raise OcckdError(f"{path} is damaged ({one_line(error)}): get it again") from None
    return read_facts(text, path, own_code=own_code)


def rebuilt(facts: Facts, values: dict[str, Tensor], where: object) -> FaceModel:
    """The network of ``facts`` with these values; no weights file is read."""
    settings = facts.network.model_copy(update={"init": "random"})  # a frozen trunk's, too
    began, given = facts.beginning, sum(value.numel() for value in values.values())
    try:
        outline = settings.outline(facts.outputs)  # takes no memory, however large it says it is
        if sum(value.numel() for value in outline.parameters()) > given:
            raise RuntimeError(f"{given:,} values are too few")
        with torch.random.fork_rng(devices=[]):
            net = settings.build(facts.outputs)
        channels = net.input_spec.channels
        if {len(began.mean), len(began.std)} != {channels}:
            raise RuntimeError(f"mean and std of {len(began.mean)} channels, not {channels}")
        begin_as(net, began.model_dump())
        put_into(net, values)
    except (RuntimeError, KeyError) as error:
        reason = one_line(str(error).partition("\n")[2] or error, 200)
        raise OcckdError(f"{where} does not fit its network ({reason}): get it again") from None
    return FaceModel(facts, net.eval().to(memory_format=torch.channels_last))
