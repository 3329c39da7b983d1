"""A task is one object: outputs, loss, decision, metrics, words: ``TASKS["age"].decide(out)``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from occkd_lib.plugins import resolve
from occkd_lib.tasks.metrics import (
    ACCURACY,
    MEAN_ABSOLUTE_ERROR,
    METRICS,
    WEIGHTED_ACCURACY,
    Metric,
    Values,
    as_numpy,
)

__all__ = ["METRICS", "TASKS", "Metric", "Task", "task_of"]


@dataclass(frozen=True)
class Task(ABC):
    """What is to be told from a face.

    metric: the main one, which selects epochs, arms and C; further: reported beside it. loss: name
    of the task loss that a stage takes unless its recipe says otherwise. machine: what a linear
    machine on embeddings is called. softmax: outputs are logits of classes that exclude each other.
    continuous: targets are numbers, not classes.
    """

    name: str
    metric: Metric
    further: tuple[Metric, ...]
    loss: str
    machine: str = "SVM"
    softmax: bool = False
    continuous: bool = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All that is reported, the main one first."""
        return (self.metric, *self.further)

    @abstractmethod
    def outputs(self, classes: Sequence[str]) -> int:
        """How many outputs a network needs for targets of these classes."""

    @abstractmethod
    def decide(self, output: Tensor) -> Tensor:
        """Outputs B x K -> decisions B: int64 class index, or float32 years."""

    def groups(self, targets: Values, classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """In which group of a table each target stands (N int64), and the groups' names."""
        return as_numpy(targets).astype(np.int64), list(classes)

    def words(self, values: Values, classes: Sequence[str]) -> list[str]:
        """Targets or decisions as a person would say them."""
        return [classes[int(value)] for value in as_numpy(values)]

    def target(self, values: Values) -> Tensor:
        """Targets as tensors that the losses take: int64 class indices, or float32."""
        kind = np.float32 if self.continuous else np.int64
        return torch.from_numpy(as_numpy(values).astype(kind))


class Classes(Task):
    """One of K classes, by softmax."""

    def outputs(self, classes: Sequence[str]) -> int:
        return len(classes)

    def decide(self, output: Tensor) -> Tensor:
        return output.argmax(1)


class TwoClasses(Task):
    """One of two classes, by the sign of one logit."""

    def outputs(self, classes: Sequence[str]) -> int:
        return 1

    def decide(self, output: Tensor) -> Tensor:
        return (output[:, 0] > 0).long()


class Quantity(Task):
    """A number, which the network gives as it is; grouped in bands of ten, 90 and more together."""

    def outputs(self, classes: Sequence[str]) -> int:
        return 1

    def decide(self, output: Tensor) -> Tensor:
        return output[:, 0].float()

    def groups(self, targets: Values, classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        bands = np.minimum(as_numpy(targets).astype(np.int64) // 10, 9)
        return bands, [f"{low}-{low + 9}" for low in range(0, 90, 10)] + ["90+"]

    def words(self, values: Values, classes: Sequence[str]) -> list[str]:
        return [f"{value:.0f} {self.metric.unit}" for value in as_numpy(values)]


EXPRESSION = Classes(
    "expression", ACCURACY, (WEIGHTED_ACCURACY,), loss="cross_entropy", softmax=True
)
GENDER = TwoClasses("gender", ACCURACY, (), loss="binary_cross_entropy")
AGE = Quantity(
    "age", MEAN_ABSOLUTE_ERROR, (), loss="absolute_error", machine="SVR", continuous=True
)
CATEGORY = Classes(  # any classes of a user's own
    "category", ACCURACY, (WEIGHTED_ACCURACY,), loss="cross_entropy", softmax=True
)
TASKS: dict[str, Task] = {task.name: task for task in (EXPRESSION, GENDER, AGE, CATEGORY)}


def task_of(name: str) -> Task:
    """The task called ``name``; OcckdError with the names there are for any other."""
    return resolve("task", name, TASKS)
