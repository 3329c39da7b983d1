"""The three tasks: number of outputs, task loss, decision, metric to select by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from occkd_lib.data.faceset import EXPRESSIONS, GENDERS


@dataclass(frozen=True)
class TaskSpec:
    """``loss(output, target)``: B x K and B -> scalar. ``decide(output)``: B x K -> B."""

    name: str
    outputs: int
    classes: tuple[str, ...]
    loss: Callable[[Tensor, Tensor], Tensor]
    decide: Callable[[Tensor], Tensor]
    metric: str
    higher_is_better: bool


def binary_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of one logit per face; output B x 1, target B in {0, 1}."""
    return F.binary_cross_entropy_with_logits(output[:, 0].float(), target.float())


def absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error in years; output B x 1, target B."""
    return F.l1_loss(output[:, 0].float(), target.float())


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy; output B x K, target B (class index)."""
    return F.cross_entropy(output.float(), target)


TASKS = {
    "expression": TaskSpec(
        "expression", len(EXPRESSIONS), EXPRESSIONS, cross_entropy,
        lambda output: output.argmax(1), "accuracy", True,
    ),
    "gender": TaskSpec(
        "gender", 1, GENDERS, binary_cross_entropy,
        lambda output: (output[:, 0] > 0).long(), "accuracy", True,
    ),
    "age": TaskSpec(
        "age", 1, (), absolute_error,
        lambda output: output[:, 0].float(), "mean_absolute_error", False,
    ),
}  # fmt: skip
