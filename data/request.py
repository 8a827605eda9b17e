"""A request for corpora as users type it: ``all``, or a comma-separated list of NAME or NAME=PATH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schemas.errors import UsageError
from schemas.files.user_path import user_path

_QUOTE = '"'


def parse_request(request: str) -> dict[str, Path | None]:
    """Name of each corpus and the folder that is given for it; None: no folder.

    A path that has a comma is quoted: ``NAME="PATH"`` or ``"NAME=PATH"``. Raises :class:`UsageError` for a
    malformed request, an empty path, and a name with two folders.
    """
    asked: dict[str, Path | None] = {}
    for item in map(_unquote, _split(request)):
        name, sign, path = item.partition("=")
        name, path = name.strip(), _unquote(path)
        if not name or (sign and not path):
            raise UsageError(
                f"'{request}' is not a list of corpora; give all, or a comma-separated list of NAME "
                f"or NAME=PATH"
            )
        folder = user_path(path) if sign else None
        if asked.setdefault(name, folder) != folder:
            raise UsageError(f"'{name}' is given with two different folders; give it once")
    return asked


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
