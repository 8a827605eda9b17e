"""The objects of a store and their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

_MAY_DIFFER = ("libraries", "seal")
"""Of ``store.json``: versions of libraries, and the hash over all of it."""


def object_files(store: Path) -> Iterator[Path]:
    """Every file of the store but the lock of its builder, sorted."""
    return (path for path in sorted(store.rglob("*")) if path.is_file() and not path.name.startswith("."))


def hash_objects(store: Path) -> dict[str, str]:
    """Name of each object → its SHA-256; of ``store.json``, without what may differ."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(_pinned_bytes(path)).hexdigest()
        for path in object_files(store)
    }


def _pinned_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name != "store.json":
        return data
    document = json.loads(data)
    return json.dumps({key: value for key, value in document.items() if key not in _MAY_DIFFER}).encode()
