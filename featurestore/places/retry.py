"""Try again what a network or a busy server spoilt, more patiently each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

_Result = TypeVar("_Result")
_RANDOM = SystemRandom()
"""Shared state would let processes that were forked together come back together."""


@dataclass(frozen=True)
class Patience:
    """How often to try, and how long to wait in between.

    The wait before attempt ``n + 1`` is drawn evenly from half of ``first_s · 2ⁿ⁻¹`` to all of it,
    at most ``longest_s``: workers that failed together do not come back together.
    """

    attempts: int = 5
    """Tries in all; at least 1."""
    first_s: float = 0.25
    longest_s: float = 8.0

    def wait(self, failures: int) -> None:
        """Sleep after the given number of failures in a row, 1 or more."""
        longest = min(self.longest_s, self.first_s * 2 ** (failures - 1))
        time.sleep(_RANDOM.uniform(longest / 2, longest))


def persist(
    action: Callable[[], _Result], patience: Patience, passes: Callable[[Exception], bool]
) -> _Result:
    """What ``action`` returns, tried again while ``passes`` says of its error that it may pass.

    Raises the last error once the attempts are used up, and any other at once.
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
