"""How the manifest's column ``split`` names the fold of a benchmark in which a clip is tested."""

from __future__ import annotations

import re

TRAIN, VALIDATION = "train", "validation"
"""Values for clips that are tested in no fold."""

_FOLD = re.compile(r"fold_([1-9][0-9]{0,2})")


def name_fold(number: int) -> str:
    """``fold_3``."""
    return f"fold_{number}"


def number_of_fold(split: str) -> int | None:
    """3 for ``fold_3``; None if the value names no fold."""
    match = _FOLD.fullmatch(split)
    return int(match[1]) if match else None
