"""README.md can be read in a terminal, in a few minutes."""

from __future__ import annotations

from tests.conftest import REPOSITORY
from tests.docs.fences import fences_of

README = REPOSITORY / "README.md"


def test_the_readme_has_at_most_1500_words() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= 1500


def test_the_first_command_is_on_the_first_screen() -> None:
    first, *_ = fences_of(README, "README.md")
    assert first.language == "sh"
    assert first.line <= 20


def test_no_line_of_prose_or_of_a_table_is_wider_than_a_page() -> None:
    in_fences = {
        number
        for fence in fences_of(README, "README.md")
        for number in range(fence.line, fence.line + fence.text.count("\n"))
    }
    wide = [
        f"README.md:{number}"
        for number, line in enumerate(README.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120 and number not in in_fences and not line.startswith("![")
    ]
    assert wide == []
