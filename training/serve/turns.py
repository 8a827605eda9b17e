"""Threads take turns on the cores: as many compute as there are cores, the others wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Turns of threads that compute."""

    def __init__(self, cores: int) -> None:
        self._free = threading.BoundedSemaphore(cores)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Compute within the context, once it is this thread's turn."""
        with self._free:
            yield

    @contextmanager
    def left(self) -> Iterator[None]:
        """Within :meth:`taken`: leave the turn to others while this thread waits for something."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
