"""What is in a data set: counts, duplicates, contradictory labels, names left out.

``prepare``, ``verify`` and ``describe`` are the three commands of ``occkd data``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from occkd_lib.data.cache import find_duplicates, repeats_of_train
from occkd_lib.data.faceset import SPLITS, FaceSet
from occkd_lib.data.ferplus import LABEL_RULES
from occkd_lib.data.registry import DATA_SETS, data_root, data_set, load_faces, locate
from occkd_lib.errors import OcckdError

__all__ = ["Report", "check", "describe", "find_duplicates", "prepare", "verify"]

# M.-I. Georgescu et al. (FER+: label.csv; AffectNet: the lists, since the release with an
# annotation file an image has 3,999 test faces); their 23,689 of UTKFace cannot be reproduced.
# RAF-DB is published as train and test; our val is held out of its train
PUBLISHED = {
    ("ferplus", "majority"): (25045, 3191, 3137),
    ("affectnet", ""): (88021, 0, 4000),
    ("rafdb", ""): (12271, 3068),
}


@dataclass(frozen=True)
class Report:
    """What ``check`` found in a FaceSet.

    counts: faces per class (ten-year bands for age; rows) and split (columns).
    groups: one row a group of pixel-identical faces: ``faces``, ``splits`` and ``targets`` count
    its members, the splits it spans and the different targets it has.
    in_train: val and test faces that also occur in the published train images; in_kept_train:
    those that occur in this very train split, which a label rule may have made smaller.
    malformed, repeated: names left out because they say too little, or labelled more than once.
    """

    name: str
    task: str
    label_rule: str | None
    counts: pd.DataFrame
    groups: pd.DataFrame
    in_train: dict[str, int]
    in_kept_train: dict[str, int]
    malformed: tuple[str, ...]
    repeated: tuple[str, ...]
    fingerprint: str

    @property
    def contradictory(self) -> int:
        """Groups of identical faces whose targets differ."""
        return int((self.groups["targets"] > 1).sum())

    @property
    def sizes(self) -> tuple[int, ...]:
        """Faces in train, val and test."""
        return tuple(int(self.counts[split].sum()) for split in SPLITS)

    def lines(self) -> list[str]:
        """The report, to be printed."""
        rule = f", labels by {self.label_rule}" if self.label_rule else ""
        lines = [f"{self.name}, {self.task}{rule}: {sum(self.sizes):,} faces"]
        for split, size in zip(SPLITS, self.sizes, strict=True):
            if not size:
                lines.append(f"  {split} 0: this data set has no such split")
                continue
            counts = ", ".join(f"{label} {n}" for label, n in self.counts[split].items())
            lines.append(f"  {split} {size:,}: {counts}")
        published = PUBLISHED.get((self.name, self.label_rule or ""))
        if published:
            train, val, test = self.sizes
            sizes = self.sizes if len(published) == 3 else (train + val, test)
            verdict = "the same" if published == sizes else "NOT the same"
            note = "" if sizes == self.sizes else " (train with val / test)"
            lines.append(f"  published: {' / '.join(f'{n:,}' for n in published)}{note}: {verdict}")
        between = self.groups["splits"] > 1
        lines += [
            f"  identical pixels: {self.groups['faces'].sum():,} faces in {len(self.groups):,} "
            f"groups, {between.sum():,} of them across splits",
            *(
                f"  {split} faces also among the published train images: {self.in_train[split]:,}; "
                f"in train as used here: {self.in_kept_train[split]:,}"
                for split in ("val", "test")
            ),
            f"  identical pixels, different label: {self.contradictory:,} groups",
        ]
        for what, names in (("malformed", self.malformed), ("labelled twice", self.repeated)):
            if names:
                shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
                lines.append(f"  names {what}: {len(names):,} ({shown})")
        return [*lines, f"  fingerprint: {self.fingerprint}"]


def check(faces: FaceSet) -> Report:
    """Count, and compare every face with every other, pixel by pixel (by a hash)."""
    targets = faces.targets.numpy()
    if faces.classes:
        label = pd.Categorical(np.array(faces.classes)[targets], list(faces.classes))
    else:
        low = targets.astype(int) // 10 * 10
        bands = range(0, int(low.max(initial=0)) + 1, 10)
        label = pd.Categorical([f"{n}-{n + 9}" for n in low], [f"{n}-{n + 9}" for n in bands])
    split = pd.Categorical(faces.splits, list(SPLITS))
    group = find_duplicates(faces.images)
    repeats = repeats_of_train(group, faces.splits)
    held_out = {split: faces.splits == split for split in ("val", "test")}
    members = pd.DataFrame({"group": group, "splits": faces.splits, "targets": targets})
    by_group = members[group >= 0].groupby("group")
    groups = by_group.nunique().assign(faces=by_group.size())
    return Report(
        faces.name,
        faces.task,
        faces.label_rule,
        pd.crosstab(label, split, dropna=False),
        groups,
        {split: int(faces.duplicate_of_train[here].sum()) for split, here in held_out.items()},
        {split: int(repeats[here].sum()) for split, here in held_out.items()},
        tuple(faces.table.attrs.get("malformed", ())),
        tuple(faces.table.attrs.get("repeated", ())),
        faces.fingerprint(),
    )


def prepare(name: str, *, root: str | Path | None = None) -> str:
    """Decode a data set into the cache, if it is not there yet; a line to print."""
    known = data_set(name)
    if known.find is None:
        return f"{name}: built in, nothing to prepare"
    path = locate(name, root)
    begun = time.monotonic()
    rule = "majority" if name == "ferplus" else None
    parts = []
    for task in known.tasks:
        faces = load_faces(name, task=task, labels=rule, root=root)
        sizes = " / ".join(f"{np.sum(faces.splits == split):,}" for split in SPLITS)
        parts.append(f"{task} {sizes}, fingerprint {faces.fingerprint()}")
    return f"{name}: {path} ready in {time.monotonic() - begun:.1f} s; {'; '.join(parts)}"


def verify(name: str, *, root: str | Path | None = None, labels: str | None = None) -> list[str]:
    """Lines to print: a report for every task and (unless ``labels`` names one) label rule."""
    rules = LABEL_RULES if name == "ferplus" and labels is None else (labels,)
    return [
        line
        for task in data_set(name).tasks
        for rule in rules
        for line in check(load_faces(name, task=task, labels=rule, root=root)).lines()
    ]


def describe(root: str | Path | None = None) -> list[tuple[str, str, str]]:
    """(name, tasks, where it was found or "missing") of every data set."""
    folder = data_root(root)
    rows = []
    for name, known in DATA_SETS.items():
        try:
            where = str(known.find(folder) or f"missing in {folder}") if known.find else "built in"
        except OcckdError as error:
            where = f"unusable: {error}"
        rows.append((name, ", ".join(known.tasks), where))
    return rows
