"""Rank of this process among several, from the environment that ``torchrun`` sets. No torch."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Whether this process reports for all processes that train together."""
    return os.environ.get("RANK", "0") == "0"


def is_one_of_several() -> bool:
    """Whether several processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
