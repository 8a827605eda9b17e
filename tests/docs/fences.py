"""The fenced blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

KNOWN = ("sh", "console", "python", "toml", "json", "text")
"""Languages that a fence may have.

``sh``: commands. ``console``: lines that begin with ``$`` are commands, the others are their output.
``python``: run in the page's own process. ``toml`` and ``json``: parsed and validated. ``text``: ignored.

With ``title="NAME"`` after the language, the block is written to the file NAME for the commands that follow.
"""

_OPENING = re.compile(r"(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<info>.*)")
_TITLE = re.compile(r'title="(?P<name>[^"]+)"')


@dataclass(frozen=True)
class Fence:
    """A fenced block."""

    page: str
    line: int
    """Number of its first line of content, from 1."""
    language: str
    title: str
    """Name of the file to write; empty for none."""
    text: str

    @property
    def place(self) -> str:
        """``docs/training.md:17``."""
        return f"{self.page}:{self.line}"


def fences_of(path: Path, page: str) -> list[Fence]:
    """Return the fenced blocks of the file in order. Raises ValueError if one is left open."""
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
