"""Progress of long-running work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of items done since the last call."""


class Progress(Protocol):
    """Receives the progress of named tasks."""

    def task(self, description: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a task of ``total`` items; the context gives the function that advances it."""


class Silent:
    """A progress receiver that ignores everything."""

    def task(self, description: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a task whose progress is ignored."""
        del description, total, unit
        return nullcontext(_ignore)


def _ignore(count: int) -> None:
    del count
