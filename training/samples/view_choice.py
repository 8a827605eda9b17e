"""Views of a store, chosen by name or number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.errors import UnknownNameError, UsageError
from schemas.messages.nearest import did_you_mean
from training.splits.side import ORIGINAL_VIEW

_NUMBERS = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")


def choose_views(text: str, names: Sequence[str]) -> tuple[int, ...]:
    """Indices of the views that ``text`` chooses of ``names``, ascending, always with the original.

    ``text`` : ``all``, or comma-separated names and numbers, such as ``noise,3`` or ``0-2``. Raises
    :class:`UsageError` if it chooses no view but the original, :class:`UnknownNameError` for an unknown one.
    """
    held = ", ".join(f"{name} ({index})" for index, name in enumerate(names))
    if len(names) == 1:
        raise UsageError(
            "--views tests augmented views, but the store has only the original; build it with --augment"
        )
    if text.strip() == "all":
        return tuple(range(len(names)))
    chosen = {ORIGINAL_VIEW}
    for part in map(str.strip, text.split(",")):
        numbers = _NUMBERS.fullmatch(part)
        if part in names:
            chosen.add(list(names).index(part))
        elif numbers and int(numbers[1]) <= int(numbers[2] or numbers[1]) < len(names):
            chosen.update(range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1))
        else:
            raise UnknownNameError(
                f"--views {text}: the store has no view '{part}'; {did_you_mean(part, names)}it has {held}"
            )
    if chosen == {ORIGINAL_VIEW}:
        others = held.partition(", ")[2]
        raise UsageError(f"--views {text}: the original is always tested; add others: {others}")
    return tuple(sorted(chosen))
