"""Messages of ``mistakes.md`` in ``docs/errors.md``: ``text`` blocks of a command and its message."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.system.mistakes.page import Mistake

ERRORS = REPOSITORY / "docs" / "errors.md"
_QUOTE = re.compile(r"^```text\n\$ (?P<command>.*)\n(?P<message>(?:.+\n)+)```$", re.MULTILINE)
_WIDTH = 110


def quotes_of(page: Path) -> Iterator[tuple[str, str]]:
    """Command and message of each quote, the message on one line."""
    for match in _QUOTE.finditer(page.read_text(encoding="utf-8")):
        yield match["command"], " ".join(match["message"].split())


def refresh_quotes(page: Path, mistakes: Iterator[Mistake]) -> None:
    """Write the message of each quoted command into the page. Raises KeyError for an unknown command."""
    messages = {mistake.command: mistake.message for mistake in mistakes}

    def quote(match: re.Match[str]) -> str:
        lines = messages[match["command"]].splitlines()
        wrapped = [part for line in lines for part in _wrap(line)]
        return "```text\n" + "\n".join([f"$ {match['command']}", *wrapped]) + "\n```"

    page.write_text(_QUOTE.sub(quote, page.read_text(encoding="utf-8")), encoding="utf-8")


def _wrap(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
