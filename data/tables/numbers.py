"""Numbers in the cells of a table."""

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
