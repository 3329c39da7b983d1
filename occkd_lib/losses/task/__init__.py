"""Task losses, by name: what ``loss:`` of a stage can be, with its parameters.

A task loss is a function (output B x K, target, **parameters) -> scalar, or a ``TaskLoss`` where it
needs more than that (embeddings, class counts, parameters that learn).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from torch import Tensor

from occkd_lib.losses.task.absolute_error import absolute_error
from occkd_lib.losses.task.base import Facts, TaskLoss
from occkd_lib.losses.task.centred import AdaReg, Center, Island, Reg, Uniform
from occkd_lib.losses.task.cross_entropy import binary_cross_entropy, cross_entropy
from occkd_lib.losses.task.focal import focal_loss
from occkd_lib.losses.task.ldam import Ldam
from occkd_lib.losses.task.multi_target import multi_target_loss
from occkd_lib.plugins import did_you_mean, resolve
from occkd_lib.project import one_line
from occkd_lib.settings import first_error

__all__ = ["TASK_LOSSES", "Facts", "FunctionLoss", "LossChoice", "TaskLoss"]


class FunctionLoss(TaskLoss):
    """A plain function of outputs and targets as a TaskLoss."""

    def __init__(self, function: Callable[..., Tensor], parameters: dict[str, Any]) -> None:
        super().__init__()
        self.function, self.parameters_given = function, parameters

    def forward(self, output: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        return self.function(output, target, **self.parameters_given)


TASK_LOSSES: dict[str, Callable[..., Tensor] | type[TaskLoss]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "absolute_error": absolute_error,
    "multi_target": multi_target_loss,
    "focal": focal_loss,
    "ldam": Ldam,
    "center": Center,
    "island": Island,
    "uniform": Uniform,
    "reg": Reg,
    "adareg": AdaReg,
}


class LossChoice(BaseModel):
    """``loss: focal`` or ``loss: {name: focal, gamma: 1}``: a name and its parameters, checked."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, raw: Any) -> Any:
        return {"name": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _parameters_fit(self) -> LossChoice:
        known = inspect.signature(resolve("loss", self.name, TASK_LOSSES)).parameters
        named = {k: p for k, p in known.items() if p.kind is p.KEYWORD_ONLY}
        for name, value in self.parameters.items():
            if name not in named:
                takes = ", ".join(named) or "none"
                near = did_you_mean(name, named)
                raise ValueError(
                    f"loss {self.name!r} has no parameter {name!r}{near}; it has: {takes}"
                )
            if isinstance(named[name].default, bool | int | float | str):
                try:
                    TypeAdapter(type(named[name].default)).validate_python(value)
                except ValidationError as error:
                    raise ValueError(f"loss {self.name!r}, {name}: {first_error(error)}") from None
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    def try_on(self, outputs: int) -> None:
        """ValueError unless the loss of made-up faces is one number that teaches every output."""
        facts = Facts(outputs, 4, (2,) * outputs, cosines=True)  # what it needs is there
        output = torch.linspace(-1, 1, 2 * outputs).view(2, outputs).requires_grad_()
        hard = torch.tensor([0, outputs - 1])
        reason = ""
        for target in (hard, torch.nn.functional.one_hot(hard, outputs).float()):
            try:
                with torch.random.fork_rng(devices=[]), torch.enable_grad():
                    found = self.build(facts)(output, torch.ones(2, 4), target)
                (slope,) = torch.autograd.grad(found, output)
            except Exception as error:  # a user's loss may raise anything
                reason = reason or f"{type(error).__name__}: {one_line(error, 100)}"
            else:
                if slope.any(0).all():
                    return
                reason = reason or "it does not look at every output"
        raise ValueError(f"loss {self.name!r} does not suit {outputs} outputs ({reason})")

    def build(self, facts: Facts) -> TaskLoss:
        """The loss, ready to be called as (output, embedding, target)."""
        loss = resolve("loss", self.name, TASK_LOSSES)
        if isinstance(loss, type) and issubclass(loss, TaskLoss):
            return loss(facts, **self.parameters)
        return FunctionLoss(loss, self.parameters)
