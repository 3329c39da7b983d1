"""The matched control, which the papers lack: as much training as distillation, but no teacher.

A gain of distillation over the undistilled student may come from longer training alone; only its
gain over this control comes from the teacher.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from occkd_lib.methods.fitted import Fitted, FittedSettings


class ControlSettings(FittedSettings):
    """of: the distilled stages whose control this is; it has their start and optimisation, which
    the recipe takes over from the first of them."""

    method: Literal["control"] = "control"
    of: tuple[str, ...] = Field(min_length=1)
    start: str | None = "student"


class Control(Fitted):
    """The task loss on the visible part, from the same start and for as long as a distilled one."""

    name = "control"
    title = "control: as long, no teacher"
    settings = ControlSettings
    color = 2
    few_labels = True
    takes_over = (*Fitted.takes_over, "network", "loss")
