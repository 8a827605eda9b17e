"""A request for corpora as users type it: ``all``, or a comma-separated list of NAME or NAME=PATH.

A PATH to a table may be followed by columns that have other names: ``calls=calls.csv:emotion=mood``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.own_recordings.table_fields import TABLE_FIELDS, TableField
from schemas.errors import UsageError
from schemas.files.user_path import user_path
from schemas.messages.nearest import did_you_mean

_QUOTE = '"'
_FIELDS: Mapping[str, TableField] = {field: field for field in TABLE_FIELDS}
_ANY_COLUMN = re.compile(r"(.+):(\w+)(?:=.*)?")
_COLUMN = re.compile(rf":({'|'.join(TABLE_FIELDS)})=([^:]+)$")


@dataclass(frozen=True)
class Asked:
    """Where a corpus is, as a user says."""

    path: Path | None = None
    """Its folder or table; None: the user gave only the name."""
    columns: Mapping[TableField, str] = field(default_factory=dict)
    """Columns of the table that have other names."""

    def require_path(self) -> Path:
        """The path. Raises ValueError if there is none."""
        if self.path is None:
            raise ValueError("only a name was given")
        return self.path

    def require_no_columns(self) -> None:
        """Raise :class:`UsageError` if columns are given although the path leads to no table."""
        if self.columns:
            raise UsageError(
                f"'{self.path}' is a folder without a table, but {', '.join(self.columns)} names a column; "
                f"give the path of a table"
            )


def parse_request(request: str) -> dict[str, Asked]:
    """What is given for each corpus, by name.

    A path that has a comma is quoted: ``NAME="PATH"`` or ``"NAME=PATH"``. Raises :class:`UsageError` for a
    malformed request, an empty path, and a name with two folders.
    """
    asked: dict[str, Asked] = {}
    for item in map(_unquote, _split(request)):
        name, sign, path = item.partition("=")
        name, path = name.strip(), _unquote(path)
        if not name or (sign and not path):
            raise UsageError(
                f"'{request}' is not a list of corpora; give all, or a comma-separated list of NAME "
                f"or NAME=PATH"
            )
        given = _parse_path(path) if sign else Asked()
        if asked.setdefault(name, given) != given:
            raise UsageError(f"'{name}' is given twice, differently; give it once")
    return asked


def _parse_path(text: str) -> Asked:
    columns: dict[TableField, str] = {}
    while found := _COLUMN.search(text):
        columns = {_FIELDS[found[1]]: _unquote(found[2]), **columns}
        text = text[: found.start()]
    path = user_path(_unquote(text))
    if (found := _ANY_COLUMN.fullmatch(str(path))) and not path.exists() and Path(found[1]).is_file():
        hint = did_you_mean(found[2], TABLE_FIELDS)
        raise UsageError(
            f"'{text}' does not say which column is what; {hint}write :FIELD=COLUMN behind the path, with a "
            f"field from {', '.join(TABLE_FIELDS)}"
        )
    return Asked(path, columns)


def comma_hint(request: str) -> str:
    """What to do if a comma of ``request`` belongs to a path, to follow a message; empty without commas."""
    items = [*_split(request)]
    if len(items) < 2 or not any("=" in item for item in items):
        return ""
    return f"; a comma separates corpora: if a path has one, quote it, as in NAME={_QUOTE}PATH{_QUOTE}"


def _split(request: str) -> Iterator[str]:
    """Items of the list. A quotation mark counts at the start of an item or a path, if it is closed."""
    start, quoted = 0, False
    for position, character in enumerate(request):
        if character == _QUOTE:
            before = request[start:position].rstrip()
            quoted = not quoted and before[-1:] in ("", "=") and _QUOTE in request[position + 1 :]
        elif character == "," and not quoted:
            yield request[start:position]
            start = position + 1
    yield request[start:]


def _unquote(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == _QUOTE else text
