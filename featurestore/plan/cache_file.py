"""Small JSON files in the user's cache, which may be lost or damaged at any time."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from featurestore.read.cache_folder import cache_folder

_LEFT_BEHIND_S = 86_400.0


def read_cache_file(name: str) -> Any:
    """The value in a file of the cache folder; None if it is missing, unreadable or damaged."""
    try:
        digest, body = (cache_folder() / name).read_bytes().split(b"\n", 1)
        return json.loads(body) if hashlib.sha256(body).hexdigest().encode() == digest else None
    except (OSError, ValueError):
        return None


def write_cache_file(name: str, value: Any) -> None:
    """Write a JSON value to a file of the cache folder; an unwritable cache is ignored.

    The file begins with the hash of its other bytes. A file that a crash left half-written therefore counts
    as damaged, and no fsync is needed.
    """
    body = json.dumps(value, separators=(",", ":")).encode()
    with suppress(OSError):
        path = cache_folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        _replace(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def name_of_folder(folder: Path) -> str:
    """Name for a cache file about a folder, which does not reveal the folder's name."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]


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
