"""The built-in faces: drawn, endless, free of anybody's privacy; the book's default data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from occkd_lib.data.cache import made_once
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.faceset import SPLITS, FaceSet
from occkd_lib.data.synthetic import canvas, drawing, people, populations
from occkd_lib.data.synthetic.populations import POPULATIONS

CLASSES = {"expression": "ferplus8", "gender": "genders", "age": "years"}
SIZE = 48  # width and height in pixels


class SyntheticSettings(DataSettings):
    """faces: how many to draw. split_seed: of the people, and of the 60/20/20 split.

    population: which of two collections, as if others had gathered it elsewhere (see
    ``synthetic/populations.py``). studio: all ages and skins, upright, in even light, every
    expression equally often. street: younger, darker, tilted, smaller, in dull and uneven light;
    some expressions are several times as frequent as others, as in RAF-DB and AffectNet, whose
    frequencies differ, too.
    """

    name: Literal["synthetic"] = "synthetic"
    faces: int = Field(3000, ge=60)
    split_seed: int = Field(0, ge=0)
    population: Literal["studio", "street"] = "studio"

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the default population, so that runs from before there were two are known."""
        content = dump(self)
        if content.get("population") == "studio":
            del content["population"]
        return content


def load(path: Path, settings: SyntheticSettings, task: str, cache: bool) -> FaceSet:
    """Drawn faces, 3 x 48 x 48 RGB. ``table``: expression, gender and age (1..90) of every face.

    The same faces for all three tasks. cache: keep the pictures under the outputs folder, so that
    the next chapter need not draw them again.
    """
    n, seed, of = settings.faces, settings.split_seed, POPULATIONS[settings.population]
    described, table = people.describe(n, np.random.default_rng([seed, 0, *of.stream]), of)
    paint = partial(people.draw_all, described, n, seed, SIZE, of)
    sources = (people.__file__, drawing.__file__, canvas.__file__, populations.__file__)
    images = made_once("synthetic", sources, (n, seed, SIZE, settings.population), paint, cache)
    splits = np.empty(n, dtype="<U5")
    order = np.random.default_rng([seed, 2, *of.stream]).permutation(n)
    for split, part in zip(SPLITS, np.split(order, [n * 6 // 10, n * 8 // 10]), strict=True):
        splits[part] = split
    rows = table.assign(
        name=[f"synthetic-{i:06d}" for i in range(n)],
        split=splits,
        target=table[task],
        near=-1,  # nobody is drawn twice
        duplicate_of_train=False,
        near_copy_of_train=False,
    )
    return face_set(settings, task, CLASSES[task], images, rows)


DATA_SET = DataSet(
    name="synthetic",
    title="built-in drawn faces",
    tasks=tuple(CLASSES),
    settings=SyntheticSettings,
    load=load,
    place="built in",
    classes=lambda settings, task: CLASSES[task],
    sizes=lambda settings: (
        settings.faces * 6 // 10,
        settings.faces * 8 // 10 - settings.faces * 6 // 10,
    ),
)
