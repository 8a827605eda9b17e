"""Caches where recordings have sound to cut, by their hash, so that they are not decoded again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from featurestore.plan.cache_file import name_of_folder, read_cache_file, write_cache_file

Spans = tuple[tuple[float, float], ...]
"""Starts and ends in seconds, in order."""


@dataclass(frozen=True)
class Unusable:
    """Why no sound was found in a recording, and its duration in seconds, if its header has one."""

    problem: str
    duration_s: float | None


Sounds = Mapping[str, Spans | Unusable]
"""SHA-256 of a recording → where it has sound."""

_FORMAT = "1"


def load_sounds(folder: Path, method: str) -> dict[str, Spans | Unusable]:
    """What ``method`` found in the recordings below ``folder``; empty if the cache is damaged."""
    try:
        stored = read_cache_file(_cache_file(folder, method))
        if (stored["format"], stored["method"]) != (_FORMAT, method):
            return {}
        return {str(sha256): _parse(found) for sha256, found in stored["sounds"].items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def save_sounds(folder: Path, method: str, sounds: Sounds) -> None:
    """Cache what ``method`` found in the recordings below ``folder``; an unwritable cache is ignored."""
    found = {sha256: asdict(each) if isinstance(each, Unusable) else each for sha256, each in sounds.items()}
    write_cache_file(_cache_file(folder, method), {"format": _FORMAT, "method": method, "sounds": found})


def _parse(found: Any) -> Spans | Unusable:
    if isinstance(found, dict):
        return Unusable(**found)
    return tuple((float(start), float(end)) for start, end in found)


def _cache_file(folder: Path, method: str) -> str:
    suffix = hashlib.sha256(method.encode()).hexdigest()[:8]
    return f"sounds/{name_of_folder(folder)}-{suffix}.json"
