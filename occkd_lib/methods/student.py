"""Step 2: the teacher's network, trained on with faces that are half hidden (journal, Sect. 3)."""

from __future__ import annotations

from typing import Literal

from occkd_lib.methods.base import Stage
from occkd_lib.methods.fitted import Fitted, FittedSettings
from occkd_lib.occlusion import view_title


class StudentSettings(FittedSettings):
    """A student begins with its teacher's weights."""

    method: Literal["student"] = "student"
    start: str | None = "teacher"


class Student(Fitted):
    """The task loss on the visible part. "The other half" is another stage of this method."""

    name = "student"
    title = "student"
    settings = StudentSettings
    published = {"journal": "student_no_distillation", "icpr2020": "student_no_distillation"}
    color = 1
    few_labels = True

    def row_title(self, stage: Stage) -> str:
        return f"{self.title}, {view_title(stage.view)}"
