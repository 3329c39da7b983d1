"""Results of a stage for its card: every metric with its interval, and group by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from occkd_lib.apply.facts import Result
from occkd_lib.data import GENDERS, FaceSet
from occkd_lib.evaluation import counts_right, interval
from occkd_lib.results.store import COPIES, Store, data_name
from occkd_lib.results.summary import WITHOUT_COPIES, with_its_interval
from occkd_lib.tasks import TASKS, Metric, Task, task_of
from occkd_lib.training.predictions import NETWORK

SMALLEST = 10  # faces of a group; of fewer an interval says nothing
ALL, THIS_FILE = "all", "this file"


class Place(NamedTuple):
    """Which faces, and what a network sees of them."""

    data: str
    split: Literal["val", "test"]
    view: str


def results_of(store: Store, experiment: str, stage: str, test: FaceSet) -> list[Result]:
    """Every finished seed of a stage (or arm) together, on every data set, split and view.

    test: the experiment's own test faces, whose groups (see ``groups_of``) are told apart.
    """
    task = task_of(store.recipe.experiment(experiment).task)
    own = data_name(store.recipe.experiment(experiment).data)
    found: list[Result] = []
    for place, (faces, said) in answers(store, experiment, stage).items():
        target, predictions = faces["target"].to_numpy(), np.stack(list(said.values()))
        everybody = np.ones(len(target), bool)
        subsets = {ALL: everybody}
        if place.split == "test":
            copies = faces[COPIES].any(axis=1).to_numpy()
            if copies.any() and not copies.all():
                subsets[WITHOUT_COPIES] = ~copies
        for metric in task.metrics:
            for name, chosen in subsets.items():
                found.append(result(place, metric, target, predictions, chosen, subset=name))
        if place.split == "test" and place.data == own:
            named = groups_of(test, task)
            assert named.index.astype(str).tolist() == faces["id"].astype(str).tolist()
            for group, chosen in members(named):
                found.append(result(place, task.metric, target, predictions, chosen, group=group))
    return found


def answers(
    store: Store, experiment: str, stage: str
) -> dict[Place, tuple[pd.DataFrame, dict[int, np.ndarray]]]:
    """Place -> its faces (by id) and what the network of every finished seed says of them."""
    found: dict[Place, tuple[pd.DataFrame, dict[int, np.ndarray]]] = {}
    for seed in store.seeds(experiment):
        run = store.run(experiment, seed, stage)
        parts: Mapping[tuple, pd.DataFrame] = store.predictions(experiment, run) if run else {}
        for (data, split, view, key), rows in parts.items():
            if key == NETWORK:
                _, said = found.setdefault(Place(data, split, view), (rows, {}))
                said[seed] = rows["prediction"].to_numpy()
    return found


def result(
    place: Place,
    metric: Metric,
    target: np.ndarray,
    predictions: np.ndarray,
    chosen: np.ndarray,
    **more: Any,
) -> Result:
    """One metric of S x N predictions of the ``chosen`` (N bool) faces.

    Where all answers of several seeds are right, or all wrong, nothing varies that an interval
    could be made from; then it is the first seed's, over faces (Wilson's).
    """
    said, truth, seeds = predictions[:, chosen], target[chosen], len(predictions)
    found = with_its_interval(truth, list(said), metric)
    if seeds > 1 and found.low == found.high and counts_right(metric):
        found, seeds = interval(truth, said[0], metric), 1
    value, low, high = (metric.factor * x for x in (found.value, found.low, found.high))
    return Result(
        metric=metric.name, value=value, low=low, high=high, n=int(chosen.sum()), seeds=seeds,
        over="seeds and faces" if seeds > 1 else "faces", **place._asdict(), **more,
    )  # fmt: skip


def groups_of(faces: FaceSet, task: Task) -> pd.DataFrame:
    """What is known of every face beside its picture, in words; by id, as the store sorts faces.

    Columns, as far as labels exist: the task's classes or bands, gender, age band, ethnicity.
    """
    place, names = task.groups(faces.targets, faces.classes)
    columns = {task.name: pd.Categorical.from_codes(place, names)}
    known = faces.table
    if "gender" in known and task.name != "gender":
        columns["gender"] = in_words(known["gender"], GENDERS)
    if "age" in known and task.name != "age":
        place, names = TASKS["age"].groups(known["age"].to_numpy(), ())
        columns["age"] = pd.Categorical.from_codes(place, names)
    if "ethnicity" in known:
        columns["ethnicity"] = pd.Categorical(known["ethnicity"].to_numpy().astype(str))
    return pd.DataFrame(columns, index=pd.Index(faces.ids, name="id")).sort_index(kind="stable")


def in_words(values: pd.Series, names: tuple[str, ...]) -> pd.Categorical:
    """Numbers as the names they stand for; words as they are."""
    if pd.api.types.is_integer_dtype(values):
        return pd.Categorical.from_codes(values.to_numpy(), list(names))
    return pd.Categorical(values.to_numpy().astype(str))


def members(named: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """("age 20-29", N bool) for every group of SMALLEST faces or more; bands in their order."""
    for column in named:
        for value in named[column].cat.categories:
            chosen = (named[column] == value).to_numpy()
            if chosen.sum() >= SMALLEST:
                yield f"{column} {value}", chosen
