"""Names that come from elsewhere, before a file is written under them."""

from __future__ import annotations

import re

from data.download.errors import DownloadError

_LONGEST = 240
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def safe_path(name: str) -> str:
    """``name`` as a path that stays under the folder it is joined to, with forward slashes.

    Raises :class:`DownloadError` for one that is absolute, leads upwards, has a drive letter, a backslash or
    a control character, or is longer than file systems take.
    """
    parts = name.split("/")
    if (
        any(part in {"", ".", ".."} or len(part.encode(errors="replace")) > _LONGEST for part in parts)
        or "\\" in name
        or _CONTROL.search(name)
        or re.match(r"[A-Za-z]:", name)
    ):
        raise DownloadError(
            f"the name {name[:80]!r} could lead out of the corpus's folder; nothing was unpacked"
        )
    return name
