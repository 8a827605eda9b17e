"""Text that is safe to show: characters that would move a cursor, colour a terminal or reorder a line."""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # bytes of a file name that are not UTF-8
    "]"
)
_CONTROLS_AND_LINES = re.compile(f"[\t\n{_CONTROLS.pattern[1:]}")


def escape_controls(text: str) -> str:
    r"""Text with escapes such as ``\x1b`` for control and bidirectional characters; lines and tabs stay.

    A byte of a file name that is not UTF-8 (a lone surrogate) becomes ``\xe9``.
    """
    return _CONTROLS.sub(_escape, text)


def escape_line(text: str) -> str:
    """:func:`escape_controls` for a text of one line, such as a name: line ends and tabs are escaped too."""
    return _CONTROLS_AND_LINES.sub(_escape, text)


def escape_json(text: str) -> str:
    r"""A JSON document with ``\u202e`` for the characters that :func:`escape_controls` escapes; equal values.

    JSON has escaped the rest, and needs its own line ends.
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape", "backslashreplace").decode("ascii")
