"""Answers without what may differ: places, times, versions, and sentences, whose wording is free."""

from __future__ import annotations

import re
from typing import Any

PROSE = "<prose>"

PROSE_FIELDS = frozenset(
    {
        "detail",
        "how_to_get",
        "notes",
        "notices",
        "offenders",
        "problem",
        "reason",
        "remarks",
        "subject",
        "title",
        "verdict",
        "warning",
    }
)
"""Fields whose strings are written for people, from two words on: a single one is a name, as ``clean`` is."""

STORED_FIELDS = frozenset({"title", "licence", "home_page"})
"""What describes a corpus. These strings are bytes of a store, so they are not prose.

Nor is ``protocol``: for ser-predict it is the title that an old run stored, which later code takes apart.
"""

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?( UTC|[+-]\d{2}:\d{2})?|\d{8}-\d{6}(?=-)")
_FEWEST_WORDS = 4


def normalise(value: Any, folder: str) -> Any:
    """Copy of a JSON value with placeholders; ``folder`` is the absolute path in which it was made."""
    return _normalise(value, folder, "")


def _normalise(value: Any, folder: str, field: str) -> Any:
    if isinstance(value, dict):
        return {_text(key, folder, ""): _item(value, key, folder) for key in value}
    if isinstance(value, list):
        return [_normalise(item, folder, field) for item in value]
    return _text(value, folder, field) if isinstance(value, str) else value


def _item(parent: dict[str, Any], field: str, folder: str) -> Any:
    value = parent[field]
    if field == "protocol" or ("licence" in parent and field in STORED_FIELDS):
        return value
    return f"<{field}>" if _is_volatile(parent, field) else _normalise(value, folder, field)


def _is_volatile(parent: dict[str, Any], field: str) -> bool:
    """Whether a field tells how long the work took, what did it, or how large its words are."""
    match field:
        case "stages" | "libraries":
            return isinstance(parent[field], dict) and bool(parent[field])
        case "seconds":
            return "view" not in parent  # a view's are those of its sound
        case "bytes":
            return "page" in parent
        case "sha256":
            return "onnx" in parent
    return False


def _text(text: str, folder: str, field: str) -> str:
    plain = _TIME.sub("<time>", text.replace(folder, "<folder>"))
    words = len(plain.split())
    is_prose = words >= _FEWEST_WORDS or (words > 1 and field in PROSE_FIELDS)
    return PROSE if is_prose else plain
