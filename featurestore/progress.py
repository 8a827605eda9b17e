"""How long-running work reports its progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of items done since the last call."""


class Progress(Protocol):
    """Receives the progress of named tasks."""

    def task(self, description: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a task of ``total`` items; the context manager returns the function that advances it."""


class Silent:
    """Discards all progress."""

    def task(self, description: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a task whose progress nobody sees."""
        del description, total, unit
        return nullcontext(_ignore)


def _ignore(count: int) -> None:
    del count
