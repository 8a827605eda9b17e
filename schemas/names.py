"""What a corpus may be called."""

from __future__ import annotations

import re

_CORPUS_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
RESERVED = frozenset(
    {"all", "records", "versions", "con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(10)}
)
"""``all`` means every corpus, a store keeps its records and a published place its versions under the next,
and the rest are devices where a store may be copied to."""


def is_corpus_name(name: str) -> bool:
    """Whether a corpus may have this name: it becomes a folder, on whatever system the store is copied to."""
    return _CORPUS_NAME.fullmatch(name) is not None and name not in RESERVED
