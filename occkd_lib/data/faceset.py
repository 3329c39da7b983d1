"""FaceSet: images, targets, ids and splits of one data set, for one task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

SPLITS = ("train", "val", "test")
ROWS = ("targets", "ids", "splits", "duplicate_of_train", "near_copy_of_train")  # N each


class ImageRows:
    """Some images of a larger store, in their own order, copied only when they are asked for.

    store: N x C x H x W on the CPU (mostly a memory-mapped file that would not fit into memory);
    rows: M int64 on the CPU. Indexing gives tensors, as it would on a tensor of these M images.
    """

    def __init__(self, store: Tensor, rows: Tensor) -> None:
        self.store, self.rows = store, rows
        self.shape = torch.Size((len(rows), *store.shape[1:]))
        self.dtype, self.ndim = store.dtype, store.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | list[int] | np.ndarray | Tensor) -> Tensor:
        """Image ``index`` (C x H x W), or those of a slice, list, mask or integer array."""
        whole = isinstance(index, (int, slice))
        return self._at(self.rows[index if whole else torch.as_tensor(index)])

    def __iter__(self) -> Iterator[Tensor]:
        return (image for part in self.split(64) for image in part)

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in order, at most ``size`` at a time."""
        return (self._at(rows) for rows in self.rows.split(size))

    def clone(self) -> Tensor:
        """All images as a tensor of their own."""
        return self._at(self.rows)

    def to(self, device: torch.device) -> Tensor:
        """All images on ``device``, without a second copy of them on the host."""
        images = torch.empty(self.shape, dtype=self.dtype, device=device)
        for part, rows in zip(images.split(1024), self.rows.split(1024), strict=True):
            part.copy_(self._at(rows))
        return images

    def _at(self, rows: Tensor) -> Tensor:
        """Numpy copies image by image; torch's indexing goes byte by byte, four times slower."""
        return torch.from_numpy(self.store.numpy()[rows.numpy()])


@dataclass(frozen=True)
class FaceSet:
    """Faces in memory (or memory-mapped), with everything a stage needs to know of them.

    images: N x C x H x W, uint8 (C = 1 or 3, RGB); ``ImageRows`` in a part of another FaceSet.
    targets: N; int64 class index, or float32 of a number (years); classes: () for a number.
    ids: N file names (or other stable names). splits: N of "train", "val", "test".
    duplicate_of_train: N bool; True where a val/test image also occurs, pixel for pixel, in train.
    near_copy_of_train: N bool; the same, and copies encoded or cut anew (see ``copies``), too.
    label_rule: how labels were made, for display. soft_targets: N x K float32 of soft labels.
    loss: name of the task loss that these labels need, None: the task's own. sample_labels: a
    label is drawn from soft_targets every epoch. vocabulary: name of the classes. published:
    how many faces the authors report (train, val, test; or train with val, test), () unknown.
    table: further columns per face (ethnicity, votes ...), N rows.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    images: Tensor | ImageRows
    targets: Tensor
    ids: np.ndarray
    splits: np.ndarray
    duplicate_of_train: np.ndarray = None  # type: ignore[assignment]
    near_copy_of_train: np.ndarray = None  # type: ignore[assignment]
    label_rule: str | None = None
    soft_targets: Tensor | None = None
    loss: str | None = None
    sample_labels: bool = False
    vocabulary: str = "own"
    published: tuple[int, ...] = ()
    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.duplicate_of_train is None:  # a reader that has not looked for any
            object.__setattr__(self, "duplicate_of_train", np.zeros(n, dtype=bool))
        if self.near_copy_of_train is None:
            object.__setattr__(self, "near_copy_of_train", self.duplicate_of_train)
        for name in ROWS:
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, images has {n}")
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError("images must be a uint8 tensor N x C x H x W")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {np.count_nonzero(self.splits == name):,}" for name in SPLITS)
        size = " x ".join(map(str, self.images.shape[1:]))
        rule = f", labels {self.label_rule}" if self.label_rule else ""
        return f"FaceSet({self.name}, {self.task}{rule}: {len(self):,} faces of {size}; {counts})"

    @property
    def rule(self) -> str | None:
        """The label rule's name alone, without the note on where the votes came from."""
        return self.label_rule and self.label_rule.split(" ")[0]

    def split(self, name: str) -> FaceSet:
        """The faces of one split ("train", "val" or "test"), in their order."""
        if name not in SPLITS:
            raise ValueError(f"unknown split {name!r}; one of {', '.join(SPLITS)}")
        return self.select(np.flatnonzero(self.splits == name))

    def select(self, index: np.ndarray) -> FaceSet:
        """The faces at ``index`` (int array), in that order; their images are not copied."""
        rows = torch.as_tensor(index, dtype=torch.int64)
        images = self.images
        if isinstance(images, Tensor):
            images = ImageRows(images, torch.arange(len(images)))
        return replace(
            self,
            images=ImageRows(images.store, images.rows[rows]),
            targets=self.targets[rows],
            soft_targets=None if self.soft_targets is None else self.soft_targets[rows],
            table=self.table.iloc[index].reset_index(drop=True) if len(self.table) else self.table,
            **{name: getattr(self, name)[index] for name in ROWS[1:]},
        )

    def sample(self, count: int | None, seed: int = 0) -> FaceSet:
        """``count`` of the faces, drawn with ``seed``, in their order; all of them for None."""
        if count is None or count >= len(self):
            return self
        drawn = np.random.default_rng(seed).choice(len(self), count, replace=False)
        return self.select(np.sort(drawn))

    def fingerprint(self) -> str:
        """A hash of ids, splits, labels and 256 of the images: proof of which faces were used."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{self.name}|{self.task}|{self.label_rule}".encode())
        named = (f"{i}|{s}" for i, s in zip(self.ids, self.splits, strict=True))
        digest.update("\n".join(named).encode())
        digest.update(self.targets.numpy().tobytes())
        if self.soft_targets is not None:
            digest.update(self.soft_targets.numpy().tobytes())
        if self.vocabulary == "own":
            digest.update("|".join(self.classes).encode())
        sample = np.linspace(0, len(self) - 1, min(256, len(self))).astype(int)
        digest.update(self.images[torch.from_numpy(sample)].numpy().tobytes())
        return digest.hexdigest()[:16]
