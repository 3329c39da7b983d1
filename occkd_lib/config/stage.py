"""A stage of a recipe: from what stands there to the settings of its method."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from occkd_lib.errors import OcckdError
from occkd_lib.methods import METHODS, Method, StageSettings
from occkd_lib.plugins import resolve
from occkd_lib.settings import first_error


def method_of(name: str) -> Method:
    """The method called ``name``, or the user's own at ``package.module:Name``."""
    found = resolve("method", name, METHODS)
    if not isinstance(found, Method):
        raise OcckdError(f"method {name!r} is no Method (see occkd_lib.methods.Method)")
    return found


def named(name: str) -> None:
    """ValueError for a name of a stage or experiment that is no name of a folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"{name!r} is no name: letters, digits, '_' and '-' only")


def as_long(name: str, stage: Any, stages: Mapping[str, Any]) -> Any:
    """A control takes over the start and the training of the first stage that it is ``of``."""
    if not isinstance(stage, Mapping):
        return stage
    shared = method_of(str(stage.get("method", name))).takes_over
    of = stage.get("of")
    first = stages.get(of[0]) if shared and isinstance(of, list | tuple) and of else None
    if not isinstance(first, Mapping):
        return stage
    return {k: v for k, v in first.items() if k in shared} | dict(stage)


def parse_stage(name: str, raw: Any) -> StageSettings:
    """The settings of a stage, by the class that its method declares, or a ValueError."""
    if isinstance(raw, StageSettings):
        return raw
    if not isinstance(raw, Mapping):
        raise ValueError(f"{name}: settings must be a mapping")
    method = raw.get("method", name)
    try:
        kind = method_of(str(method)).settings
        return kind.model_validate({**raw, "method": method})
    except OcckdError as error:
        raise ValueError(f"{name}: {error}") from None
    except ValidationError as error:
        raise ValueError(f"{name}.{first_error(error, kind.model_fields)}") from None
