"""What a frozen trunk sees of the faces, computed once and kept on disk.

    <outputs>/cache/features-<hash>.npy      N x F, float32: one split, one view, one orientation

The hash covers every byte of the faces, the trunk's weights, what is read off it and the precision;
of a view that is drawn face by face also what is drawn, and which faces these are.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, FrozenTrunk, frozen_of
from occkd_lib.occlusion import versions
from occkd_lib.project import locked, outputs_root, write_atomically
from occkd_lib.runs import fingerprint
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

BATCH = 256


def views_of(faces: FaceSet, model: FaceNet, compute: Compute) -> Views:
    """The faces as ``model`` takes them: pixels, or what its frozen trunk makes of them.

    model: on compute.device.
    """
    frozen = frozen_of(model)
    if frozen:
        return FeatureViews(faces, frozen, compute)
    return Views(faces, model.input_spec, compute.device)


class FeatureViews(Views):
    """The faces as the frozen trunk of ``model`` sees them."""

    def __init__(self, faces: FaceSet, model: FrozenTrunk, compute: Compute) -> None:
        super().__init__(faces, model.input_spec, compute.device)
        self.model, self.compute = model, compute
        self._features: dict[tuple[str, bool], Tensor] = {}

    def serves(self, model: FaceNet) -> bool:
        frozen = frozen_of(model)
        return frozen is not None and frozen.reads == self.model.reads

    def inputs(
        self,
        visible: str,
        index: Tensor,
        flipped: Tensor,
        offset: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> Tensor:
        """Features B x F, float32. flipped: B bool. OcckdError for faces that are moved."""
        if offset is not None or pose is not None:
            raise OcckdError(
                "a frozen trunk has seen the faces where they are: set shift, scale and tilt to 0"
            )
        seen = self.features(visible, False)[index]
        if flipped.any():
            seen = torch.where(flipped[:, None], self.features(visible, True)[index], seen)
        return seen

    def features(self, visible: str, flipped: bool) -> Tensor:
        """N x F of all faces, on the device; from memory, from the cache, or computed now."""
        key = visible, flipped
        if key not in self._features:
            path = self._path(visible, flipped)
            self._features[key] = torch.from_numpy(self._kept(path, *key)).to(self.device)
        return self._features[key]

    def _kept(self, path: Path, visible: str, flipped: bool) -> np.ndarray:
        lock = outputs_root() / ".locks" / path.stem
        with locked(lock, lambda: print("another process reads them, waiting", file=sys.stderr)):
            shape = len(self), self.model.feature_width
            try:
                kept = np.load(path, mmap_mode="c")  # in memory once, whoever reads it
                if kept.shape == shape:
                    return kept
            except (OSError, ValueError, EOFError):
                pass  # none yet, or damaged
            print(
                f"{self.model.name}: reads the features of {len(self):,} {self.faces.name} faces "
                f"({visible}{', mirrored' if flipped else ''}), once",
                file=sys.stderr,
            )
            made = self._compute(visible, flipped).cpu().numpy()

            def save(aside: Path) -> None:
                with open(aside, "wb") as file:
                    np.save(file, made)

            write_atomically(path, save)
            return made

    @torch.no_grad()
    def _compute(self, visible: str, flipped: bool) -> Tensor:
        parts = []
        for index in torch.arange(len(self), device=self.device).split(BATCH):
            flips = torch.full_like(index, flipped, dtype=torch.bool)
            with self.compute.autocast():
                parts.append(self.model.read_off(super().inputs(visible, index, flips)).float())
        return torch.cat(parts)

    def _path(self, visible: str, flipped: bool) -> Path:
        decides: dict[str, object] = {
            "faces": image_hash(self.faces), "view": visible, "flipped": flipped,
            "precision": self.compute.precision, **self.model.reads,
        }  # fmt: skip
        drawn = versions([visible])
        if drawn:
            names = hashlib.blake2b(self.keys.cpu().numpy().tobytes(), digest_size=16).hexdigest()
            decides |= {"occluders": drawn, "names": names}
        return outputs_root() / "cache" / f"features-{fingerprint(decides)}.npy"


def image_hash(faces: FaceSet) -> str:
    """Of every pixel of the faces, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in faces.images.split(1024):
        digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()
