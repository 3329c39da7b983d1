"""The models at hand: those that were published here, and those that came with the book."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from occkd_lib import project
from occkd_lib.apply.card import card
from occkd_lib.apply.exported import FILES, ExportedModel, file_of, read_any
from occkd_lib.apply.facts import pattern
from occkd_lib.apply.model import CARD, FILE
from occkd_lib.errors import OcckdError
from occkd_lib.project import holds_book, outputs_root, project_root, shipped

TOLERANCE = 1e-3  # of a probability; of years, of their amount


def models(root: str | Path | None = None) -> list[Path]:
    """Folders that hold a model, by name: below ``root``, or by default below <outputs>/models
    (published here) and below the project's models/ (those that ship), in this order; where no
    book is, those in the wheel's."""
    places = [shipped(root)] if root else [outputs_root() / "models", project_root() / "models"]
    if not root and not holds_book(project_root()):
        places.append(project.BOOK / "models")
    found = [path.parent for place in places for path in sorted(place.glob(f"**/{FILE}"))]
    return list({folder.resolve(): folder for folder in found}.values())


def named(path: str | Path) -> list[Path]:
    """The models that ``path`` names, as ``predict`` takes them: itself, a folder or a file; for a
    folder without one, those in folders below it. OcckdError for none there; of what does not
    exist, reading it says so."""
    path = shipped(path)
    if file_of(path) or not os.path.isdir(path):
        return [path]
    found = sorted({file.parent for name in FILES for file in path.glob(f"**/{name}")})
    if not found:
        raise OcckdError(f"{path} holds no model: 'occkd models list' shows those at hand")
    return found


def verify_model(folder: str | Path, *, own_code: bool = False) -> list[str]:
    """What is wrong with a model's folder or export, a line a problem; [] for nothing.

    Reads it (format, hash, does everything fit?), compares what it says of a fixed picture, here
    and now, with what it said when it was written, and its card with the one that is due to it
    (an export has none). own_code: see ``read_model``.
    """
    folder = shipped(folder)
    file = file_of(folder) or folder / FILE
    problems, path, alone = [], file.with_name(CARD), file.name != FILE
    if not alone and not os.path.isfile(path):
        problems.append(f"{path} is missing")
    try:
        model = read_any(folder, own_code=own_code)
        if isinstance(model, ExportedModel) and model.eight_bits:
            raise OcckdError(f"{file} has eight bits, which say something else: verify its model")
        said = model.predict(pattern(model.facts.crop))
    except OcckdError as error:
        return [*problems, str(error)]
    with_card = not alone and not problems
    if with_card and path.read_bytes() != card(model.facts).encode(errors="replace"):
        problems.append(
            f"{path} is not what {FILE} says of itself: was either edited, or is it another "
            "version's?"
        )
    now = said.answer[:, None] if isinstance(said.answer, torch.Tensor) else said.probabilities
    before = torch.tensor(model.facts.check)
    assert now is not None
    if before.shape != now.shape:
        return [*problems, f"{folder} says {tuple(now.shape)}, but said {tuple(before.shape)}"]
    gap = float(((now - before).abs() / before.abs().clamp_min(1)).max())
    if not gap <= TOLERANCE:  # not a number is a problem, too
        problems.append(
            f"{folder} says something else of the test pattern than when it was written (by "
            f"{gap:.2g}, at most {TOLERANCE:g}): another version of torch or of the library?"
        )
    return problems
