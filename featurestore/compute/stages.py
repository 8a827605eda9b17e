"""Time spent in each stage of a build, and time that the coordinator spent waiting."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Literal

Stage = Literal[
    "hash recordings",
    "segment recordings",
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
"""A stage's seconds are those of the threads that run it. ``hash recordings`` includes the
``segment recordings`` of builds that cut them. ``write`` includes a unit's ``encode`` (Zarr, compression,
Parquet), ``hash`` and ``store`` (until the bytes are on the disk). The last two are the coordinator's
waiting times."""


class Stages:
    """Seconds per stage, summed over all threads. Stages overlap, so their sum is not the wall time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the time that the ``with`` block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += time.perf_counter() - started

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add the seconds that another process measured."""
        with self._lock:
            for stage, more in seconds.items():
                self._seconds[stage] += more

    def seconds(self) -> dict[str, float]:
        """Stage → seconds so far."""
        with self._lock:
            return dict(self._seconds)
