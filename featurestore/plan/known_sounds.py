"""Caches where recordings have sound to cut, by their hash, so that they are not decoded again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from featurestore.plan.cache_file import name_of_folder, read_cache_file, write_cache_file

Spans = tuple[tuple[float, float], ...]
"""Starts and ends in seconds, in order."""

Sounds = Mapping[str, Spans | None]
"""SHA-256 of a recording → where it has sound; None if the recording is unusable."""

_FORMAT = "1"


def load_sounds(folder: Path, method: str) -> dict[str, Spans | None]:
    """What ``method`` found in the recordings below ``folder``; empty if the cache is damaged."""
    try:
        stored = read_cache_file(_cache_file(folder, method))
        if (stored["format"], stored["method"]) != (_FORMAT, method):
            return {}
        return {
            str(sha256): None if spans is None else tuple((float(start), float(end)) for start, end in spans)
            for sha256, spans in stored["sounds"].items()
        }
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def save_sounds(folder: Path, method: str, sounds: Sounds) -> None:
    """Cache what ``method`` found in the recordings below ``folder``; an unwritable cache is ignored."""
    stored = {"format": _FORMAT, "method": method, "sounds": dict(sounds)}
    write_cache_file(_cache_file(folder, method), stored)


def _cache_file(folder: Path, method: str) -> str:
    suffix = hashlib.sha256(method.encode()).hexdigest()[:8]
    return f"sounds/{name_of_folder(folder)}-{suffix}.json"
