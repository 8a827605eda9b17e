"""Files that are complete or absent after a crash, and disk errors as clear sentences."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from featurestore.places.names import PARTIAL_SUFFIX
from schemas.errors import SerError, StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and {retry}",
    errno.EDQUOT: "the disk quota is used up; free some space and {retry}",
    errno.ENOENT: "the folder does not exist and cannot be created; choose another place",
    errno.EROFS: "the file system is read-only; make it writable, or choose another place",
    errno.EACCES: "permission denied; change the permissions, or choose another place",
    errno.EPERM: "not permitted; change the permissions, or choose another place",
    errno.EIO: "the disk reports an input/output error; check it, then {retry}",
    errno.EEXIST: "a file with that name already exists; move it, or choose another place",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EISDIR: "a folder with that name already exists; move it, or choose another place",
    errno.EFBIG: "the file is larger than the limit; raise the limit and {retry}",
}


NO_TEMPORARY = "No usable temporary directory"
"""Beginning of the message with which :mod:`tempfile` ends its search."""


def no_temporary_folder() -> StorageError:
    """The error if this process finds no folder for temporary files."""
    return StorageError(
        "there is no folder for temporary files; set TMPDIR to a folder that you can write to, and run the "
        "same command again"
    )


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``. After a crash, the file has either all of it or its previous content."""
    make_folders(path.parent)
    # Two processes may write the same file at the same time, so each uses a partial file of its own.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """Create a folder and its parents, durably."""
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the folder's entries are on the disk."""
    sync_file(path)


@contextmanager
def storage_errors(
    place: object, retry: str = "run the same command again; finished work is kept"
) -> Iterator[None]:
    """Turn an ``OSError`` into a :class:`StorageError` that names the cause and says what to do.

    ``place`` is named if the error has no file name. ``retry`` is the next step once the cause is gone.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, SerError):
            raise
        if (error.strerror or "").startswith(NO_TEMPORARY):
            raise no_temporary_folder() from error
        reason = _REASONS.get(error.errno or 0, "{error}; {retry}")
        where = error.filename if error.filename is not None else place
        raise StorageError(
            f"cannot write {where}: {reason.format(error=error.strerror or error, retry=retry)}"
        ) from error
