"""The models at hand: those that were published here, and those that came with the book."""

from __future__ import annotations

from pathlib import Path

import torch

from occkd_lib.apply.card import card
from occkd_lib.apply.facts import pattern
from occkd_lib.apply.model import CARD, FILE, read_model
from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root, project_root

TOLERANCE = 1e-3  # of a probability; of years, of their amount


def models(root: str | Path | None = None) -> list[Path]:
    """Folders that hold a model, by name: below ``root``, or by default below <outputs>/models
    (published here) and below the project's models/ (those that ship), in this order."""
    places = [Path(root)] if root else [outputs_root() / "models", project_root() / "models"]
    found = [path.parent for place in places for path in sorted(place.glob(f"**/{FILE}"))]
    return list({folder.resolve(): folder for folder in found}.values())


def verify_model(folder: str | Path, *, own_code: bool = False) -> list[str]:
    """What is wrong with a model's folder, a line a problem; [] for nothing.

    Reads it (format, hash, does everything fit?), compares what it says of a fixed picture, here
    and now, with what it said when it was written, and its card with the one that is due to it.
    own_code: see ``read_model``.
    """
    problems, path = [], Path(folder) / CARD
    if not path.is_file():
        problems.append(f"{path} is missing")
    try:
        model = read_model(folder, own_code=own_code)
        said = model.predict(pattern(model.facts.crop))
    except OcckdError as error:
        return [*problems, str(error)]
    if not problems and path.read_bytes() != card(model.facts).encode(errors="replace"):
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
