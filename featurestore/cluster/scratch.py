"""What worker processes on this machine need to start: room for temporary files, and semaphores."""

from __future__ import annotations

import multiprocessing
import tempfile

from featurestore.places.durable import cause_of, no_temporary_folder
from schemas.errors import StorageError

_NEEDED = 2**20
"""Bytes of temporary files that must have room: certificates and locks of the workers."""


def require_scratch() -> None:
    """Raise :class:`StorageError` if no temporary file or no semaphore can be created."""
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        raise no_temporary_folder() from error
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_NEEDED))
            file.flush()
    except OSError as error:
        raise StorageError(
            f"cannot write temporary files in {folder}: {cause_of(error)}; free some space, or set TMPDIR to "
            "another folder"
        ) from error
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        cause = cause_of(error) if isinstance(error, OSError) else "this system has no semaphores"
        raise StorageError(
            f"cannot create semaphores in /dev/shm: {cause}; mount it with free space (in a container: "
            "--shm-size=64m), or leave out --workers"
        ) from error
