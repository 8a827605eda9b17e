"""Numbers with their nouns; and no text in the packages that would say "1 clips"."""

from __future__ import annotations

import re

import pytest

from schemas.messages.counts import choose_form, format_count
from tests.conftest import REPOSITORY

PACKAGES = ("schemas", "data", "pipelines", "featurestore", "training")


@pytest.mark.parametrize(
    ("count", "noun", "plural", "text"),
    [
        (0, "clip", None, "0 clips"),
        (1, "clip", None, "1 clip"),
        (2, "clip", None, "2 clips"),
        (1440, "clip", None, "1,440 clips"),
        (1, "class", "classes", "1 class"),
        (7, "class", "classes", "7 classes"),
        (1, "other corpus", "other corpora", "1 other corpus"),
    ],
)
def test_a_count_has_the_form_of_its_noun(count: int, noun: str, plural: str | None, text: str) -> None:
    assert format_count(count, noun, plural) == text
    assert text.endswith(f" {choose_form(count, noun, plural)}")


def test_plurals_are_formed_in_one_place() -> None:
    by_hand = re.compile(r"""["']["'] if .{1,30} == 1 else ["']s["']|["']s["'] if .{1,30} else ["']["']""")
    found = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert found == []
