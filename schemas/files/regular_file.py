"""Files that a user names, read whole: only regular ones, and none larger than such a file can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_TEXT_FILE = 16 * 2**20
"""Bytes of a description, a recipe or a table of text that a user writes."""


def open_regular_file(path: str | Path, most: int) -> BinaryIO:
    """Open a regular file of at most ``most`` bytes for reading; links are followed.

    Never waits: a pipe, a socket, a device and a folder are refused. A file may grow while it is open, so
    read at most ``most`` bytes of it.

    Raises ``OSError``. Its ``strerror`` says in words what is wrong, such as "it is a named pipe, not a
    file", and its ``filename`` is ``path``.
    """
    _require_regular(path, Path(path).stat(), most)  # before opening, which some devices notice
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_regular(path, os.fstat(descriptor), most)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular_file(path: str | Path, most: int = MOST_TEXT_FILE) -> bytes:
    """Read a regular file of at most ``most`` bytes. Raises what :func:`open_regular_file` raises."""
    with open_regular_file(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # files of /proc announce no size, and others grow
        raise too_large(path, "more", most)
    return data


def too_large(path: str | Path, size: str, most: int) -> OSError:
    """The error for a file of ``size``, such as "20 bytes", where at most ``most`` bytes are possible."""
    return OSError(errno.EFBIG, f"it has {size}, but at most {most:,} bytes are possible", str(path))


def _require_regular(path: str | Path, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(code, f"it is {_kind(status.st_mode)}, not a file", str(path))
    if status.st_size > most:
        raise too_large(path, f"{status.st_size:,} bytes", most)


def _kind(mode: int) -> str:
    """What a path leads to, in words, if not to a regular file."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")
