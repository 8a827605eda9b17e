"""Files that are being written: each is locked, so that those of killed processes can be told and removed.

A file is written under a partial name, ``report.html.0a1b2c3d.partial``, and renamed when it is complete. A
process that is killed leaves it, but not its lock.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from featurestore.places.names import PARTIAL_SUFFIX

_PARTIAL = re.compile(rf"(?P<name>.+)\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}", re.DOTALL)


@contextmanager
def write_partial(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new partial file for ``path``, open and locked, and its name.

    The caller flushes and renames it. It is removed if it still has this name at the end.
    """
    file, partial = _create(path)
    try:
        with file:
            yield file, partial
    finally:
        partial.unlink(missing_ok=True)


def flush(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sweep_partials(paths: Iterable[Path]) -> None:
    """Remove the partial files of ``paths`` that killed processes left; what cannot be removed stays."""
    wanted: dict[Path, set[str]] = {}
    for path in paths:
        wanted.setdefault(path.parent, set()).add(path.name)
    for folder, names in wanted.items():
        _sweep(folder, names)


def sweep_folder(folder: Path) -> None:
    """Remove every partial file in a folder, but not below it, that a killed process left."""
    _sweep(folder, None)


def _sweep(folder: Path, names: set[str] | None) -> None:
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _PARTIAL.fullmatch(entry.name)
            if found and (names is None or found["name"] in names) and entry.is_file(follow_symlinks=False):
                _remove_abandoned(folder / entry.name)


def _remove_abandoned(partial: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()
        finally:
            os.close(descriptor)


def _create(path: Path) -> tuple[BinaryIO, Path]:
    while True:
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        with ExitStack() as stack:
            file = stack.enter_context(partial.open("xb"))
            with suppress(OSError):  # file systems without locks: nothing is swept there either
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            # Another process may have swept it before it was locked.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), partial.lstat()):
                    stack.pop_all()
                    return file, partial
