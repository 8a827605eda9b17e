"""What a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MARKS = {ord(mark): None for mark in " -_"}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` is most like, whatever its case and marks; None where none is near."""
    by_key = {_key(each): each for each in known}
    near = difflib.get_close_matches(_key(name), by_key, n=1)
    return by_key[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'mfcc'? ``, to be put before a list of what is known; empty where nothing is near."""
    near = nearest(name, known)
    return f"did you mean '{near}'? " if near else ""


def _key(name: str) -> str:
    return name.casefold().translate(_MARKS)
