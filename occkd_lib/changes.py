"""What two protocols differ by, in words."""

from __future__ import annotations

import json
from typing import Any


def as_json(content: dict[str, Any]) -> dict[str, Any]:
    """As it is read again from a file."""
    return json.loads(json.dumps(content, default=str))


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Paths at which two JSON values differ, as ``a.b: old -> new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            path = f"{where}.{key}" if where else key
            found += differences(old.get(key), new.get(key), path)
        return found
    return [] if old == new else [f"{where}: {old} -> {new}"]
