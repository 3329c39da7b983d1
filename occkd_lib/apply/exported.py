"""An exported file at work: asked as ``FaceModel`` is, answered by onnxruntime or TorchScript.

Hiding, resizing and calibration are in the graph; what it is comes from the facts in the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from occkd_lib.apply.export import DEFAULT, opened, opened_script
from occkd_lib.apply.facts import Facts
from occkd_lib.apply.model import FILE, FaceModel, Said, read_model, with_interval
from occkd_lib.apply.runtime import ask
from occkd_lib.apply.tensors import checked_faces
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line
from occkd_lib.tasks import task_of

FILES = (FILE, *DEFAULT.values())  # what a model is called in its folder, the first one first
ZIP = b"PK\x03\x04"  # how a TorchScript file begins


@dataclass(frozen=True)
class ExportedModel:
    """An exported file and all that is known of it. says: N x C x S x S uint8 -> N x K, or N x 1.

    eight_bits: its network computes in int8, so that it says nearly what its model does.
    """

    facts: Facts
    path: Path
    says: Callable[[Tensor], Tensor]
    eight_bits: bool = False

    def predict(self, faces: Tensor, *, batch_size: int = 32) -> Said:
        """As ``FaceModel.predict``; also OcckdError where graph and facts do not go together."""
        crop, classes = self.facts.crop, self.facts.classes
        checked_faces(faces, crop.channels, crop.size)
        parts = [torch.empty(0, len(classes) or 1)]
        for part in faces.split(batch_size) if len(faces) else ():
            try:
                parts.append(self.says(part))
            except Exception as error:  # each runtime raises its own kinds
                raise OcckdError(f"{self.path} fails on a face ({one_line(error, 120)})") from None
        if {tuple(part.shape[1:]) for part in parts} != {(len(classes) or 1,)}:
            raise OcckdError(f"{self.path} says something else than its facts: export it again")
        numbers = torch.cat(parts)
        if not numbers.isfinite().all():
            raise OcckdError(f"{self.path} says no number of a face: export it again")
        if not classes:
            return with_interval(numbers[:, 0], self.facts)
        return Said(numbers, task_of(self.facts.task).words(numbers.argmax(1), classes))


AnyModel = FaceModel | ExportedModel


def read_exported(path: str | Path, *, own_code: bool = False) -> ExportedModel:
    """The model in a file that ``export`` wrote, on the CPU.

    Raises OcckdError for a file that is missing, or none of these. own_code: see ``read_model``.
    """
    path = Path(path)
    if is_script(path):
        script, facts = opened_script(path, own_code=own_code)
        return ExportedModel(facts, path, script)
    session, facts, cost = opened(path, own_code=own_code)

    def says(faces: Tensor) -> Tensor:
        return torch.from_numpy(ask(session, faces, len(faces))[0])

    return ExportedModel(facts, path, says, eight_bits=cost is not None)


def is_script(path: Path) -> bool:
    """Is this a TorchScript file, whatever it is called? False for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(len(ZIP)) == ZIP or path.suffix == Path(DEFAULT["torchscript"]).suffix
    except OSError:
        return False


def file_of(path: str | Path) -> Path | None:
    """The file of the model that ``path`` names: itself, or in that folder model.safetensors, else
    model.onnx, else model.pt; None for a folder without any, or no path at all."""
    path = Path(path)
    if os.path.isfile(path):
        return path
    return next((path / name for name in FILES if os.path.isfile(path / name)), None)


def read_any(path: str | Path, *, own_code: bool = False) -> AnyModel:
    """The model that ``path`` names, a folder or a file; see ``file_of``, ``read_model`` and
    ``read_exported``, whose errors it raises."""
    file = file_of(path)
    if file is None:
        exports = Path(path).suffix in {Path(name).suffix for name in DEFAULT.values()}
        return read_exported(path) if exports else read_model(path)  # which say what is missing
    if file.name == FILE:
        return read_model(file.parent, own_code=own_code)
    return read_exported(file, own_code=own_code)
