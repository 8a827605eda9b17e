"""``mistakes.md`` as a list of mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"exit status ([0-9]+)")


@dataclass(frozen=True)
class Mistake:
    """A command as it is typed, what it prints on both streams, and its exit status."""

    command: str
    message: str
    status: int


def mistakes_of(page: Path) -> Iterator[Mistake]:
    """The blocks of the page: ``$ command``, the message, ``exit status N``. Raises ValueError for others."""
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        command, *message, last = block.splitlines()
        status = _STATUS.fullmatch(last)
        if not command.startswith("$ ") or status is None or not message:
            raise ValueError(f"{page}: a block is '$ command', the message, 'exit status N', not:\n{block}")
        yield Mistake(command.removeprefix("$ "), "\n".join(message), int(status[1]))
