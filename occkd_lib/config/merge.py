"""Laying one part of a recipe over another."""

from __future__ import annotations

from typing import Any


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it, mapping by mapping.

    A mapping with another ``name`` is another thing (data set, network): it takes the place of the
    old one.
    """
    if change.get("name", base.get("name")) != base.get("name"):
        return change
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
