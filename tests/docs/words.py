"""Whether a command printed what the page says, except for what differs from machine to machine.

Both are compared word by word, so that the width of a terminal does not matter. One word stands for any run
of words that

- contain a digit (times, sizes, scores, dates, digests), or are a unit or sign (``7.6 s``, ``–``),
- contain a ``/``: paths and clip ids,
- are the name of an emotion, ``best``, or about calibration: they depend on what a model has learnt.

A ``…`` stands for anything. All other words of a line must follow each other in the output, and lines must
be in order.
"""

from __future__ import annotations

import re

from schemas.labels import Emotion

ANY = "#"

_UNITS = frozenset(["s", "ms", "min", "h", "%", "B", "kB", "MB", "GB", "×", "·", "–", "—"])
_LEARNT = frozenset(
    {*map(str, Emotion), "best", "silence", "under-confident", "over-confident", "well", "calibrated"}
)
_EDGES = "()[]{},;:'\"`"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FRAMES = re.compile(r"[─━│┃╭╮╰╯┏┓┗┛┡┩┳┻╇┴┬┼├┤╞╪╡═║]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, with each run of changing words as one :data:`ANY`."""
    found: list[str] = []
    for word in _FRAMES.sub(" ", _ESCAPES.sub("", text)).split():
        kept = ANY if _changes(word) else word
        if kept != ANY or found[-1:] != [ANY]:
            found.append(kept)
    return found


def missing_line(expected: list[str], printed: str) -> str | None:
    """Return the first of the ``expected`` lines that ``printed`` lacks at this point, or None."""
    words = words_of(printed)
    at = 0
    for line in expected:
        for piece in line.split("…"):
            wanted = words_of(piece)
            if not wanted or wanted == [ANY]:
                continue
            end = _find(wanted, words, at)
            if end is None:
                return line
            at = end - 1 if wanted[-1] == ANY else end
    return None


def _changes(word: str) -> bool:
    bare = word.strip(_EDGES)
    return (
        any(mark.isdigit() for mark in bare)
        or "/" in bare
        or bare in _UNITS
        or bare.removeprefix("female_").removeprefix("male_") in _LEARNT
    )


def _find(wanted: list[str], words: list[str], start: int) -> int | None:
    """Return where ``wanted`` ends in ``words``, searching from ``start``."""
    for first in range(start, len(words) - len(wanted) + 1):
        if words[first : first + len(wanted)] == wanted:
            return first + len(wanted)
    return None
