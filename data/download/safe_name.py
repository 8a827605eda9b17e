"""Checks names from outside before files are written under them."""

from __future__ import annotations

import re

from data.download.errors import DownloadError

_LONGEST = 240
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def safe_path(name: str) -> str:
    """Return ``name``, a path with forward slashes, if it stays below the folder to which it is joined.

    Raises :class:`DownloadError` if it is absolute, leads upwards, has a drive letter, a backslash or a
    control character, or is too long for file systems.
    """
    parts = name.split("/")
    if (
        any(part in {"", ".", ".."} or len(part.encode(errors="replace")) > _LONGEST for part in parts)
        or "\\" in name
        or _CONTROL.search(name)
        or re.match(r"[A-Za-z]:", name)
    ):
        raise DownloadError(
            f"the name {name[:80]!r} could lead out of the corpus folder; nothing was unpacked"
        )
    return name
