"""Keeps lines that C libraries print, such as libmpg123's about tags, off the terminal."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


class _Silence:
    """The C variable ``stderr``, which every C library writes to, replaced while any thread decodes.

    Python's own ``sys.stderr`` writes to the file descriptor and is not affected.
    """

    def __init__(self) -> None:
        self._users = 0
        self._stderr: ctypes.c_void_p | None = None
        self._before: int | None = None
        self._nowhere: int | None = None
        try:
            library = ctypes.CDLL(None)
            stderr = ctypes.c_void_p.in_dll(library, "stderr")
            library.fopen.restype = ctypes.c_void_p
            library.fopen.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
            self._nowhere = library.fopen(b"/dev/null", b"w")
        except (OSError, ValueError, AttributeError):
            return  # not this C library: its lines stay visible
        if self._nowhere:
            self._stderr = stderr

    def begin(self) -> None:
        with _LOCK:
            self._users += 1
            if self._users == 1 and self._stderr is not None:
                self._before, self._stderr.value = self._stderr.value, self._nowhere

    def end(self) -> None:
        with _LOCK:
            self._users -= 1
            if self._users == 0 and self._stderr is not None:
                self._stderr.value = self._before


_silence: _Silence | None = None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Discard what C libraries print on standard error; several threads may do so at a time."""
    global _silence  # noqa: PLW0603 the C variable exists once per process
    with _LOCK:
        _silence = _silence or _Silence()
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()
