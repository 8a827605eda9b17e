"""Sizes of the parts of a sound that are hidden. Imports nothing heavy: ``--help`` shows the defaults."""

from __future__ import annotations

from schemas.errors import UsageError

WINDOW_S = 0.2
"""Default length of a hidden window, seconds."""

BANDS = 12
"""Default number of bands side by side; hidden bands overlap by half."""

SHORTEST_S, LONGEST_S = 0.02, 10.0
MOST_BANDS = 64


def require_sizes(window_s: float, bands: int) -> None:
    """Raise :class:`UsageError` for a window or a number of bands out of range."""
    if not SHORTEST_S <= window_s <= LONGEST_S:
        raise UsageError(
            f"--hide-seconds {window_s:g} is out of range; give {SHORTEST_S:g} to {LONGEST_S:g} s"
        )
    if not 1 <= bands <= MOST_BANDS:
        raise UsageError(f"--hide-bands {bands} is out of range; give 1 to {MOST_BANDS} bands")
