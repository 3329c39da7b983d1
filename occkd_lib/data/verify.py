"""What is in a data set: counts, copies, contradictory labels, names left out.

``prepare``, ``verify`` and ``describe`` are the three commands of ``occkd data``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occkd_lib.data.copies import (
    THRESHOLD,
    find_duplicates,
    groups_of_copies,
    in_chunks,
    repeats_of_train,
    together,
)
from occkd_lib.data.dataset import DataSet, data_root
from occkd_lib.data.faceset import SPLITS, FaceSet
from occkd_lib.data.readers import DATA_SETS
from occkd_lib.data.registry import data_set, load, locate, settings_of
from occkd_lib.errors import OcckdError
from occkd_lib.tasks import task_of

KINDS = {"identical": "identical pixels", "near": f"near copies (correlation above {THRESHOLD})"}


@dataclass(frozen=True)
class Report:
    """What ``check`` found in a FaceSet.

    counts: faces per class (ten-year bands for age; rows) and split (columns). copies: "identical"
    and "near" (which has the identical ones, too) -> one row a group: ``faces``, ``splits`` and
    ``targets`` count its members, the splits it spans and the different targets it has.
    in_train[kind][split]: val or test faces that also occur in the published train images;
    in_kept_train: those in this very train split, which a label rule may have made smaller.
    """

    faces: FaceSet
    counts: pd.DataFrame
    copies: dict[str, pd.DataFrame]
    in_train: dict[str, dict[str, int]]
    in_kept_train: dict[str, dict[str, int]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Faces in train, val and test."""
        return tuple(int(self.counts[split].sum()) for split in SPLITS)

    def lines(self) -> list[str]:
        """The report, to be printed."""
        faces = self.faces
        rule = f", labels by {faces.label_rule}" if faces.label_rule else ""
        lines = [f"{faces.name}, {faces.task}{rule}: {sum(self.sizes):,} faces"]
        for split, size in zip(SPLITS, self.sizes, strict=True):
            if not size:
                lines.append(f"  {split} 0: this data set has no such split")
                continue
            counts = ", ".join(f"{label} {n}" for label, n in self.counts[split].items())
            lines.append(f"  {split} {size:,}: {counts}")
        if faces.published:
            train, val, test = self.sizes
            sizes = self.sizes if len(faces.published) == 3 else (train + val, test)
            verdict = "the same" if faces.published == sizes else "NOT the same"
            note = "" if sizes == self.sizes else " (train with val / test)"
            shown = " / ".join(f"{n:,}" for n in faces.published)
            lines.append(f"  published: {shown}{note}: {verdict}")
        for kind, title in KINDS.items():
            groups = self.copies[kind]
            lines.append(
                f"  {title}: {groups['faces'].sum():,} faces in {len(groups):,} groups, "
                f"{(groups['splits'] > 1).sum():,} of them across splits, "
                f"{(groups['targets'] > 1).sum():,} with different labels"
            )
            lines += [
                f"    {split} faces also among the published train images: {n:,}; in train as used "
                f"here: {self.in_kept_train[kind][split]:,}"
                for split, n in self.in_train[kind].items()
            ]
        for what, key in (("malformed", "malformed"), ("labelled twice", "repeated")):
            if names := faces.table.attrs.get(key, ()):
                shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
                lines.append(f"  names {what}: {len(names):,} ({shown})")
        return [*lines, f"  fingerprint: {faces.fingerprint()}"]


def check(faces: FaceSet) -> Report:
    """Count, and compare every face with every other: by pixels, and by brightness in the small."""
    group, names = task_of(faces.task).groups(faces.targets, faces.classes)
    names = names if faces.classes else names[: group.max(initial=0) + 1]
    label = pd.Categorical.from_codes(group, names)
    split = pd.Categorical(faces.splits, list(SPLITS))
    identical = find_duplicates(faces.images)
    known = faces.table if "near" in faces.table else groups_of_copies(in_chunks(faces.images))
    kinds = {"identical": identical, "near": together(identical, known["near"].to_numpy())}
    flags = {"identical": faces.duplicate_of_train, "near": faces.near_copy_of_train}
    targets = faces.targets.numpy()
    held_out = {name: faces.splits == name for name in ("val", "test")}

    def by_split(flag: np.ndarray) -> dict[str, int]:
        return {name: int(flag[here].sum()) for name, here in held_out.items()}

    def by_group(groups: np.ndarray) -> pd.DataFrame:
        rows = pd.DataFrame({"group": groups, "splits": faces.splits, "targets": targets})
        members = rows[groups >= 0].groupby("group")
        return members.nunique().assign(faces=members.size())

    return Report(
        faces,
        pd.crosstab(label, split, dropna=False),
        {kind: by_group(groups) for kind, groups in kinds.items()},
        {kind: by_split(flag) for kind, flag in flags.items()},
        {kind: by_split(repeats_of_train(g, faces.splits)) for kind, g in kinds.items()},
    )


def prepare(
    name: str, *, root: str | Path | None = None, task: str | None = None, **options: Any
) -> str:
    """Decode a data set into the cache, if it is not there yet; a line to print."""
    known = data_set(name)
    if known.find is None:
        return f"{name}: {known.place}, nothing to prepare"
    settings = settings_of(name, **{**known.options[0], **options})
    path, begun = locate(settings, root), time.monotonic()
    parts = []
    for each in (task,) if task else known.tasks:
        faces = load(settings, each, root=root)
        sizes = " / ".join(f"{np.sum(faces.splits == split):,}" for split in SPLITS)
        parts.append(f"{each} {sizes}, fingerprint {faces.fingerprint()}")
    return f"{name}: {path} ready in {time.monotonic() - begun:.1f} s; {'; '.join(parts)}"


def verify(
    name: str, *, root: str | Path | None = None, task: str | None = None, **options: Any
) -> list[str]:
    """Lines to print: a report for every task (or one) and every label rule that there is.

    options: settings of the data set, instead of all that it declares; None says nothing.
    """
    known = data_set(name)
    given = {key: value for key, value in options.items() if value is not None}
    return [
        line
        for each in ((task,) if task else known.tasks)
        for chosen in ((given,) if given else known.options)
        for line in check(load(settings_of(name, **chosen), each, root=root)).lines()
    ]


def describe(root: str | Path | None = None) -> list[tuple[str, str, str]]:
    """(name, tasks, where it was found, or from where to get it) of every data set."""
    folder = data_root(root)

    def where(known: DataSet) -> str:
        try:
            found = known.find and known.find(folder, None)
        except OcckdError as error:
            return f"unusable: {error}"
        get = f": get {known.source}, {known.size}" if known.source else ""
        return str(found or known.place or f"missing in {folder}{get}")

    return [(name, ", ".join(known.tasks), where(known)) for name, known in DATA_SETS.items()]
