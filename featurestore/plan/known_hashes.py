"""Hashes of files kept from one build to the next, so that a file that stayed the same is not read again."""

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
"""No common file system keeps times more coarsely than this (FAT)."""

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
    """Size, times and inode of a file, or None where a later change could leave all of them as they are.

    That is so within the granularity of the file system's clock after a change ("racy git"), so a file
    that was changed just before ``now_ns``, or by its times after it, has no state to be trusted.
    """
    if max(status.st_mtime_ns, status.st_ctime_ns) >= now_ns - _SETTLED_NS:
        return None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def load(folder: Path) -> dict[str, KnownHash]:
    """What is known of the files below ``folder``; nothing where the cache cannot be read or is damaged."""
    try:
        digest, body = _place(folder).read_bytes().split(b"\n", 1)
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return {}
        columns = json.loads(body)
        if columns["format"] != _FORMAT:
            return {}
        return dict(zip(columns["paths"], map(KnownHash, columns["states"], columns["sha256"]), strict=True))
    except (OSError, ValueError, TypeError, LookupError):
        return {}


def save(folder: Path, known: KnownHashes) -> None:
    """Keep what is known of the files below ``folder``; where the cache cannot be written, nothing is kept.

    The file begins with the hash of the rest, so that one which a crash left half-written counts as damaged
    and needs no fsync. Its name tells nothing of the folder's.
    """
    columns = {
        "format": _FORMAT,
        "paths": list(known),
        "states": [entry.state for entry in known.values()],
        "sha256": [entry.sha256 for entry in known.values()],
    }
    body = json.dumps(columns, separators=(",", ":")).encode()
    with suppress(OSError):
        place = _place(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        _tidy(place)
        _replace(place, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _place(folder: Path) -> Path:
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return cache_folder() / "recordings" / f"{name}.json"


def _replace(place: Path, data: bytes) -> None:
    """Write under a name of one's own, then rename: other processes may do the same at this moment."""
    descriptor, partial = tempfile.mkstemp(prefix=f"{place.name}.", suffix=".partial", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(partial).replace(place)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _tidy(place: Path) -> None:
    """Remove what processes that were killed while they wrote have left behind."""
    for partial in place.parent.glob(f"{place.name}.*.partial"):
        with suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > _LEFT_BEHIND_S:
                partial.unlink()
