"""Names: which ones a corpus may have, and how names are compared."""

from __future__ import annotations

import re
import unicodedata

_CORPUS_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
RESERVED = frozenset(
    {"all", "records", "versions", "con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(10)}
)
"""Not allowed as the name of a corpus. ``all`` means every corpus, ``records`` and ``versions`` are folders
of a store and of a published place, and the rest are device names on Windows, to which a store may be
copied."""
_MARKS = {ord(mark): None for mark in " -_"}


def is_utf8(name: str) -> bool:
    """Whether a path or name can be written into JSON and Parquet: each byte of it is part of a character."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def nfc(name: str) -> str:
    """The name with its accents in the form in which names are compared (NFC).

    A Mac writes ``é`` in file names as two characters, a keyboard as one; both look the same.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def fold_name(name: str) -> str:
    """Name in the form in which names are compared: NFC, case-folded, without spaces, ``-`` and ``_``."""
    return nfc(nfc(name).casefold().translate(_MARKS))


def is_corpus_name(name: str) -> bool:
    """Whether a corpus may have this name, which becomes a folder name on any system."""
    return _CORPUS_NAME.fullmatch(name) is not None and name not in RESERVED
