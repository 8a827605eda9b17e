"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from schemas.names import fold_name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Known name closest to ``name``, ignoring case, spaces, ``-`` and ``_``; None if none is close."""
    by_key = {fold_name(each): each for each in known}
    near = difflib.get_close_matches(fold_name(name), by_key, n=1)
    return by_key[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'mfcc'? ``, to precede a list of known names; empty if none is close."""
    near = nearest(name, known)
    return f"did you mean '{near}'? " if near else ""
