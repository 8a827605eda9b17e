"""The first difference between two specifications, in words."""

from __future__ import annotations

from typing import Any

from schemas.spec import StoreSpec


def first_difference(existing: StoreSpec, wanted: StoreSpec) -> str:
    """The first field that differs, with both values."""
    old, new = _leaves(existing.model_dump(mode="json")), _leaves(wanted.model_dump(mode="json"))
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            return f"{name}: {old.get(name, 'absent')} in the store, {new.get(name, 'absent')} requested"
    return "no visible difference"


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted path → value, of all values within a JSON value."""
    items: dict[Any, Any]
    match value:
        case dict():
            items = value
        case list() if any(isinstance(entry, dict) for entry in value):
            items = dict(enumerate(value))
        case _:
            return {prefix: value}
    out: dict[str, Any] = {}
    for key, entry in items.items():
        out.update(_leaves(entry, f"{prefix}.{key}" if prefix else str(key)))
    return out
