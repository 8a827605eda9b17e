"""Which of several processes this is, as ``torchrun`` tells it. No torch."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Whether this process speaks for all that train together."""
    return os.environ.get("RANK", "0") == "0"


def is_one_of_several() -> bool:
    """Whether other processes train together with this one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
