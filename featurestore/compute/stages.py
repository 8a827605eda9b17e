"""How long each stage of a build was at work, and how long the coordinator waited for it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Literal

Stage = Literal[
    "hash recordings",
    "decode",
    "compute",
    "write",
    "encode",
    "hash",
    "store",
    "finalise",
    "waiting for clips",
    "waiting for write",
]
"""Seconds of the threads that do it. ``write`` is a unit's ``encode`` (Zarr, compression, Parquet), ``hash``
and ``store`` (until it is on the disk) together; the last two are the coordinator's waiting."""


class Stages:
    """Seconds by stage, added up from any thread. The stages overlap: their sum is no wall time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Add the time that the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += time.perf_counter() - started

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what another process has measured."""
        with self._lock:
            for stage, more in seconds.items():
                self._seconds[stage] += more

    def seconds(self) -> dict[str, float]:
        """Stage → seconds so far."""
        with self._lock:
            return dict(self._seconds)
