"""Caches the hashes of files between builds, so that unchanged files are not read again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from featurestore.read.cache_folder import cache_folder

_SETTLED_NS = 2_000_000_000
"""The coarsest time resolution of any common file system (FAT)."""

_LEFT_BEHIND_S = 86_400.0
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
        digest, body = _cache_file(folder).read_bytes().split(b"\n", 1)
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return {}
        columns = json.loads(body)
        if columns["format"] != _FORMAT:
            return {}
        return dict(zip(columns["paths"], map(KnownHash, columns["states"], columns["sha256"]), strict=True))
    except (OSError, ValueError, TypeError, LookupError):
        return {}


def save(folder: Path, known: KnownHashes) -> None:
    """Cache the hashes of the files below ``folder``; an unwritable cache is ignored.

    The cache file begins with the hash of its other bytes. A file that a crash left half-written therefore
    counts as damaged, and no fsync is needed. Its name does not reveal the folder's name.
    """
    columns = {
        "format": _FORMAT,
        "paths": list(known),
        "states": [entry.state for entry in known.values()],
        "sha256": [entry.sha256 for entry in known.values()],
    }
    body = json.dumps(columns, separators=(",", ":")).encode()
    with suppress(OSError):
        path = _cache_file(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        _replace(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _cache_file(folder: Path) -> Path:
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return cache_folder() / "recordings" / f"{name}.json"


def _replace(path: Path, data: bytes) -> None:
    """Write to a file with a unique name, then rename it: other processes may do the same now."""
    descriptor, partial = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _remove_leftovers(path: Path) -> None:
    """Remove partial files of processes that were killed while writing."""
    for partial in path.parent.glob(f"{path.name}.*.partial"):
        with suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > _LEFT_BEHIND_S:
                partial.unlink()
