"""How many requests each client has made: a token bucket per client.

A client may make ``per_minute`` requests at once, and gets one more every 60 / ``per_minute`` seconds.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_CLIENTS = 10_000
"""Clients that are remembered; the one that was silent for longest is forgotten."""


class Rates:
    """Buckets of all clients. Used by one thread."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Count a request of ``client``; returns 0, or the seconds to wait if it may not make one yet."""
        now = self._clock()
        most = max(1.0, self._per_minute)
        left, then = self._left.get(client, (most, now))
        left = min(most, left + (now - then) * self._per_minute / 60)
        wait = 0.0
        if left >= 1:
            left -= 1
        else:
            wait = (1 - left) * 60 / self._per_minute
        self._left[client] = (left, now)
        self._left.move_to_end(client)
        while len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return wait
