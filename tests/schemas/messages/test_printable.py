"""No character that moves a cursor or reorders a line is left, and nothing else changes."""

from __future__ import annotations

import json
import unicodedata

import pytest

from schemas.messages.printable import escape_controls, escape_json, escape_line

EVERYTHING = "".join(map(chr, range(0x110000)))
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_every_control_and_bidirectional_character_of_unicode_is_escaped() -> None:
    left = {
        character
        for character in escape_line(EVERYTHING)
        if unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}
        or unicodedata.bidirectional(character) in BIDIRECTIONAL
    }
    assert left == set()


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "Zoë × 北京 שלום e\u0301 👩\u200d🚀 \\x1b"
    assert escape_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("\x7f", r"\x7f"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2066b", r"a\u2066b"),
        ("a\u2028b", r"a\u2028b"),
        ("a\rb", r"a\rb"),
        ("caf\udce9", r"caf\xe9"),
    ],
)
def test_an_escape_is_the_one_of_python(text: str, shown: str) -> None:
    assert escape_line(text) == escape_controls(text) == shown


def test_only_a_text_of_one_line_loses_its_line_ends() -> None:
    assert escape_controls("a\n\tb") == "a\n\tb"
    assert escape_line("a\n\tb") == r"a\n\tb"


def test_json_keeps_its_values() -> None:
    value = {"name": "a\x1b\x7f\x9b\u202e\u2028\udce9é", "rows": [1, 2]}
    text = escape_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert escape_controls(text) == text
    assert "é" in text
