"""How a stage is optimised."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from occkd_lib.settings import Settings


class FitSettings(Settings):
    """What ``fit`` needs. ``epochs`` and ``lr`` have no default: they must be chosen."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "plateau", "step", "onecycle"] = "plateau"
    plateau_patience: int = Field(10, ge=1)
    plateau_factor: float = Field(0.1, gt=0, lt=1)
    step_epochs: int = Field(4, ge=1, description="step schedule: every so many epochs ...")
    step_factor: float = Field(0.2, gt=0, lt=1, description="... the rate is multiplied by this")
    final_lr: float | None = Field(None, gt=0, description="floor of the plateau schedule")
    freeze_norm: bool = Field(False, description="batch norm keeps the statistics it begins with")
    select: Literal["best", "last"] = "best"
