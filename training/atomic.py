"""Files of a run are either wholly there or not at all."""

from __future__ import annotations

from pathlib import Path

from featurestore.durable import storage_errors, write_durably


def write_atomically(path: Path, content: bytes) -> None:
    """Give ``path`` the content, durably: after a crash it holds the old content or the new.

    Raises :class:`StorageError` where the disk is full or refuses access.
    """
    with storage_errors(path):
        write_durably(path, content)
