"""The fenced blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

KNOWN = ("sh", "console", "python", "toml", "json", "text")
"""Languages that a fence may have.

``sh``: commands. ``console``: lines that begin with ``$`` are commands, the others what they print.
``python``: run in the page's own process. ``toml`` and ``json``: read by whoever reads such files. ``text``:
nothing is done.

With ``title="NAME"`` behind the language the block is the file of that name, for the commands that follow.
"""

_OPENING = re.compile(r"(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<info>.*)")
_TITLE = re.compile(r'title="(?P<name>[^"]+)"')


@dataclass(frozen=True)
class Fence:
    """A fenced block."""

    page: str
    line: int
    """Of its first line of content, from 1."""
    language: str
    title: str
    """Name of the file that it is; empty where it is none."""
    text: str

    @property
    def place(self) -> str:
        """``docs/training.md:17``."""
        return f"{self.page}:{self.line}"


def fences_of(path: Path, page: str) -> list[Fence]:
    """Fenced blocks of the file, in order; ``page`` names it. Raises ValueError for one left open."""
    found: list[Fence] = []
    opening: re.Match[str] | None = None
    content: list[str] = []
    start = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if opening is None:
            opening = _OPENING.fullmatch(line)
            content, start = [], number + 1
        elif line.strip().startswith(opening["marks"]) and not line.strip().strip(opening["marks"][0]):
            found.append(_fence(page, start, opening, content))
            opening = None
        else:
            content.append(line)
    if opening is not None:
        raise ValueError(f"{page}:{start - 1}: the fence is never closed")
    return found


def _fence(page: str, line: int, opening: re.Match[str], content: list[str]) -> Fence:
    info = opening["info"]
    title = _TITLE.search(info)
    indent = len(opening["indent"])
    text = "\n".join(each[indent:] if not each[:indent].strip() else each for each in content)
    return Fence(page, line, info.split(" ")[0].split("{")[0], title["name"] if title else "", text + "\n")
