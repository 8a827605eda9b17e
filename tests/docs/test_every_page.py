"""Every command, Python example and recipe of README.md and docs/ works as its page says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future

import pytest

from tests.conftest import REPOSITORY
from tests.docs.commands import commands_of
from tests.docs.differences import INSTEAD, MAY_FAIL, NOT_RUN, SERVING
from tests.docs.fences import fences_of
from tests.docs.play import Player

PAGES = (
    "README.md",
    *sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "docs").rglob("*.md")),
)
QUICK = ("sh", "console", "python")


def _is_played(page: str) -> bool:
    try:
        fences = fences_of(REPOSITORY / page, page)
    except ValueError:
        return True
    return any(fence.language in QUICK or fence.title for fence in fences)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _is_played(page)])
@pytest.mark.timeout(1200)
def test_a_page_does_what_it_says(page: str, played: Mapping[str, Future[None]]) -> None:
    played[page].result()


@pytest.mark.parametrize("page", [page for page in PAGES if not _is_played(page)])
def test_a_page_without_commands_can_be_read(page: str, bare_player: Player) -> None:
    bare_player.play(REPOSITORY / page, page)


def test_the_table_of_what_is_not_run_holds_nothing_that_no_page_has() -> None:
    commands = [
        command.text
        for page in PAGES
        for fence in fences_of(REPOSITORY / page, page)
        if fence.language in ("sh", "console")
        for command in commands_of(fence)
    ]
    code = [
        fence.text
        for page in PAGES
        for fence in fences_of(REPOSITORY / page, page)
        if fence.language == "python"
    ]
    patterns = [entry.pattern for table in (NOT_RUN, SERVING, MAY_FAIL) for entry in table]
    stale = [pattern for pattern in patterns if not any(re.search(pattern, text) for text in commands)]
    stale += [
        entry.pattern
        for entry in INSTEAD
        if not any(re.search(entry.pattern, text, re.MULTILINE) for text in [*commands, *code])
    ]
    assert stale == []
