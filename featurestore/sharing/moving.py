"""Parallel transfers: counted, stopped by the first error or Ctrl-C, and bounded in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Condition, Event, Lock
from typing import TypeVar

from featurestore.progress import Advance, Progress

T = TypeVar("T")
R = TypeVar("R")


class Mover:
    """Works on many items in threads. ``done``: the sum of all calls to :meth:`advance` so far."""

    def __init__(self, advance: Advance) -> None:
        self.done = 0
        self._advance = advance
        self._lock = Lock()
        self._stop = Event()

    def advance(self, count: int) -> None:
        """Count transferred units, from any thread; ends this thread's work if another one has failed."""
        with self._lock:
            if self._stop.is_set():
                raise _StoppedError
            self.done += count
            self._advance(count)

    def each(self, action: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
        """Call ``action`` on every item; returns the results in order.

        Raises the first error once the other threads have stopped.
        """
        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(action, item) for item in items]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
                return [future.result() for future in futures]
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def move_objects(progress: Progress, description: str, total: int, unit: str = "bytes") -> Iterator[Mover]:
    """Open a task of ``total`` units whose work is done in threads."""
    with progress.task(description, total, unit) as advance:
        yield Mover(advance)


class Budget:
    """Bytes that all threads together may hold in memory; an object larger than that is handled alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Wait until ``count`` more bytes are available, and hold them."""
        count = min(count, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._held + count <= self._most)
            self._held += count
        try:
            yield
        finally:
            with self._changed:
                self._held -= count
                self._changed.notify_all()


class _StoppedError(Exception):
    """Another thread has failed; never leaves this module."""
