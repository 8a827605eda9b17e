"""Retries after network faults or busy servers, with growing waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

_Result = TypeVar("_Result")
_RANDOM = SystemRandom()
"""The system's generator: forked processes must not share a seed, or they would retry at the same time."""


@dataclass(frozen=True)
class Patience:
    """How often to try, and how long to wait between attempts.

    The wait before attempt ``n + 1`` is drawn uniformly between half and all of ``first_s · 2ⁿ⁻¹`` seconds,
    at most ``longest_s``, so that workers that failed together do not retry together.
    """

    attempts: int = 5
    """Total number of attempts, at least 1."""
    first_s: float = 0.25
    longest_s: float = 8.0

    def wait(self, failures: int) -> None:
        """Sleep after the given number of consecutive failures (at least 1)."""
        longest = min(self.longest_s, self.first_s * 2 ** (failures - 1))
        time.sleep(_RANDOM.uniform(longest / 2, longest))


def persist(
    action: Callable[[], _Result], patience: Patience, passes: Callable[[Exception], bool]
) -> _Result:
    """Return the result of ``action``, retried while ``passes`` says that its error may pass.

    Raises the last error once all attempts are used up, and any other error immediately.
    """
    failures = 0
    while True:
        try:
            return action()
        except Exception as error:
            failures += 1
            if failures >= patience.attempts or not passes(error):
                raise
        patience.wait(failures)
