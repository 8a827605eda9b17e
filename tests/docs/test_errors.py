"""docs/errors.md quotes messages that commands print, as the transcript of mistakes has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.fences import fences_of
from tests.system.mistakes.page import mistakes_of
from tests.system.mistakes.quotes import ERRORS, quotes_of, refresh_quotes

TRANSCRIPT = REPOSITORY / "tests" / "system" / "mistakes" / "mistakes.md"
MESSAGES = {mistake.command: " ".join(mistake.message.split()) for mistake in mistakes_of(TRANSCRIPT)}
QUOTES = list(quotes_of(ERRORS))


@pytest.mark.parametrize(("command", "message"), QUOTES, ids=[command for command, _ in QUOTES])
def test_a_quoted_message_is_in_the_transcript(command: str, message: str) -> None:
    assert MESSAGES[command] == message, "run python -m tests.system.mistakes.rewrite"


def test_the_page_quotes_the_twenty_likeliest_mistakes_and_nothing_else() -> None:
    assert len(QUOTES) >= 20
    assert len(QUOTES) == len(fences_of(ERRORS, "docs/errors.md"))


def test_quotes_stay_if_no_message_has_changed(tmp_path: Path) -> None:
    copy = tmp_path / "errors.md"
    copy.write_bytes(ERRORS.read_bytes())
    refresh_quotes(copy, mistakes_of(TRANSCRIPT))
    assert copy.read_bytes() == ERRORS.read_bytes()
