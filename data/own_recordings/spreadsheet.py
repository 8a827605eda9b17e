"""Rows of a table as text: with commas, semicolons, tabs or bars, in UTF-8 or UTF-16."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection

from schemas.files.text import decode_text

_SEPARATORS = ",;\t|"
_HINT = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""First line that tells Excel which separator a file uses."""


def read_rows(data: bytes, columns: Collection[str]) -> csv.DictReader[str]:
    """Rows of a table with a header, as :class:`csv.DictReader` gives them.

    The separator is the one that gives most of ``columns`` in the header, in any case. Raises
    :class:`~schemas.files.text.TextError` if the bytes are no text, and :class:`csv.Error` while it is read.
    """
    lines = io.StringIO(decode_text(data), newline="")
    first = lines.readline()
    if hint := _HINT.fullmatch(first):
        return csv.DictReader(lines, delimiter=hint[1])
    lines.seek(0)
    return csv.DictReader(lines, delimiter=max(_SEPARATORS, key=lambda sign: _matches(first, sign, columns)))


def _matches(header: str, separator: str, columns: Collection[str]) -> int:
    cells = next(csv.reader([header], delimiter=separator), [])
    return len({cell.strip().lower() for cell in cells} & set(columns))
