"""Caches the hashes of files between builds, so that unchanged files are not read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from featurestore.plan.cache_file import name_of_folder, read_cache_file, write_cache_file

_SETTLED_NS = 2_000_000_000
"""The coarsest time resolution of any common file system (FAT)."""

_FORMAT = "1"


@dataclass(frozen=True, slots=True)
class KnownHash:
    """The SHA-256 of a file (hexadecimal), and the state of the file in which it was hashed."""

    state: str
    sha256: str


KnownHashes = Mapping[str, KnownHash]
"""Path relative to a folder, with forward slashes → hash."""


def settled_state(status: os.stat_result, now_ns: int) -> str | None:
    """Size, times and inode of a file; None if a later change could leave all of them the same.

    This can happen within the resolution of the file system's clock after a change ("racy git"). A file
    that was changed just before ``now_ns``, or after it according to its times, has no trusted state.
    """
    if max(status.st_mtime_ns, status.st_ctime_ns) >= now_ns - _SETTLED_NS:
        return None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def load(folder: Path) -> dict[str, KnownHash]:
    """The cached hashes of the files below ``folder``; none if the cache is unreadable or damaged."""
    try:
        columns = read_cache_file(_cache_file(folder))
        if columns["format"] != _FORMAT:
            return {}
        return dict(zip(columns["paths"], map(KnownHash, columns["states"], columns["sha256"]), strict=True))
    except (ValueError, TypeError, LookupError):
        return {}


def save(folder: Path, known: KnownHashes) -> None:
    """Cache the hashes of the files below ``folder``; an unwritable cache is ignored."""
    columns = {
        "format": _FORMAT,
        "paths": list(known),
        "states": [entry.state for entry in known.values()],
        "sha256": [entry.sha256 for entry in known.values()],
    }
    write_cache_file(_cache_file(folder), columns)


def _cache_file(folder: Path) -> str:
    return f"recordings/{name_of_folder(folder)}.json"
