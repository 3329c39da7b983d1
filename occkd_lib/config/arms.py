"""Arms: a stage with some settings changed, under a name of its own: ``triplet@alpha=0.1``.

A dot leads into a setting that has parts: ``ktn@loss.expansion=100``.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from occkd_lib.errors import OcckdError
from occkd_lib.methods import Arm, StageSettings
from occkd_lib.settings import first_error

MARK = "@"


def arm_name(stage: str, arm: Arm) -> str:
    """``triplet`` with the settings of ``arm``: ``triplet@alpha=0.1``; without any, the stage."""
    changes = (f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in arm.items())
    return f"{stage}{MARK}{','.join(changes)}" if arm else stage


def parse_arm(name: str) -> tuple[str, Arm]:
    """The inverse of ``arm_name``; a stage's own name changes nothing.

    Raises OcckdError for an arm that is not ``setting=value,setting=value``.
    """
    stage, mark, changes = name.partition(MARK)
    arm: Arm = {}
    for change in changes.split(",") if mark else ():
        key, equals, value = change.partition("=")
        if not (key and equals and value):
            raise OcckdError(f"stage {name!r}: write {stage}{MARK}setting=value,setting=value")
        try:
            arm[key] = json.loads(value)
        except ValueError:  # a word, as in mining=random
            arm[key] = value
    return stage, arm


def lay(content: dict[str, Any], path: list[str], value: Any) -> None:
    """Set what ``path`` leads to: ``loss.expansion`` is the expansion of the loss."""
    first, *rest = path
    if not rest:
        content[first] = value
    elif not isinstance(content.get(first), dict):
        raise ValueError(f"{'.'.join(path)}: the stage has no {first} of its own to change")
    else:
        content[first] = dict(content[first])
        lay(content[first], rest, value)


def changed(settings: StageSettings, arm: Arm) -> StageSettings:
    """The settings with those of ``arm``; ValueError for one there is not, or a wrong value."""
    if not arm:
        return settings
    try:
        content = {**settings.model_dump(), "tune": ()}
        for key, value in arm.items():
            lay(content, key.split("."), value)
        return type(settings).model_validate(content)
    except ValidationError as error:
        raise ValueError(first_error(error, type(settings).model_fields)) from None
