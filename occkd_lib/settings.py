"""The base of everything that a recipe may set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from occkd_lib.plugins import did_you_mean


class Settings(BaseModel):
    """Unknown keys are errors: a misspelt hyperparameter must never be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def telling(error: ValidationError) -> Any:
    """The error to name: a misspelt key, if there is one, as others may be missing only by it."""
    return min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")


def first_error(error: ValidationError, known: Iterable[str] = ()) -> str:
    """A validation error as one line; ``known``: names that a forbidden key may have meant."""
    first = telling(error)
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"there is no such setting{did_you_mean(str(first['loc'][-1]), known)}"
    elif first["type"] == "literal_error":
        words = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message += did_you_mean(str(first["input"]), words)
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"
