"""Numbers with their nouns, in texts for people."""

from __future__ import annotations


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """``1 view``, ``1,440 clips``, ``2 classes`` (``plural`` : if it is not the noun and s)."""
    return f"{count:,} {choose_form(count, noun, plural)}"


def choose_form(count: float, noun: str, plural: str | None = None) -> str:
    """The noun alone, or any word that depends on the count, such as ``is`` with the plural ``are``."""
    return noun if count == 1 else plural or f"{noun}s"
