"""Numbers and times in the cells of a table."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?")


def parse_number(text: str) -> float:
    """The number in a cell, with a decimal point or comma. Raises ValueError if it is not a finite number."""
    if _NUMBER.fullmatch(text):
        number = float(text.replace(",", "."))
        if math.isfinite(number):
            return number
    raise ValueError(f"'{text[:60]}' is not a number")


_CLOCK = re.compile(
    r"(?:(?P<days>[0-9]+) days?,? ?)?"
    r"(?:(?P<hours>[0-9]+):(?P<minutes>[0-5][0-9]):(?P<seconds>[0-5][0-9]([.,][0-9]+)?))?"
)
_NO_TIME = frozenset({"", "nat"})


def parse_time(text: str) -> float | None:
    """Seconds in a cell: ``1.5``, ``00:00:01.500`` or ``0 days 00:00:01.500000``; None if it is empty or NaT.

    Raises ValueError for anything else.
    """
    if text.lower() in _NO_TIME:
        return None
    if found := _CLOCK.fullmatch(text):
        days, hours, minutes = (int(found[part] or 0) for part in ("days", "hours", "minutes"))
        seconds = parse_number(found["seconds"] or "0")
        return (days * 24 + hours) * 3600 + minutes * 60 + seconds
    try:
        seconds = parse_number(text)
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        raise ValueError(f"'{text[:60]}' is not a time; give seconds, or HH:MM:SS.mmm")
    return seconds
