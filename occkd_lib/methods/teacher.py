"""Step 1: a network that sees whole faces (journal, Sect. 3)."""

from __future__ import annotations

from typing import Literal

from occkd_lib.methods.base import StageSettings
from occkd_lib.methods.fitted import Fitted, FittedSettings


class TeacherSettings(FittedSettings):
    """A teacher begins with a new network."""

    method: Literal["teacher"] = "teacher"


class Teacher(Fitted):
    """The task loss on full faces. Tested on every view, to show what hiding costs it."""

    name = "teacher"
    title = "teacher"
    settings = TeacherSettings
    published = {"journal": "teacher", "icpr2020": "teacher"}
    color = 7
    few_labels = True

    def view(self, settings: StageSettings, visible: str) -> str:
        return settings.view or "full"

    def tested_on(self, stage_view: str, views: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((stage_view, *views)))
