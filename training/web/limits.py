"""Limits of what visitors of the page may send and compute."""

from __future__ import annotations

from dataclasses import dataclass

from training.predict.allowed import Allowed

MEGABYTE = 2**20
"""As browsers and Gradio count megabytes."""

_WAITING = 16
"""Number of uploads of the largest size that may wait at the same time."""


@dataclass(frozen=True)
class Limits:
    """Limits per recording, and the number of recordings computed at the same time."""

    max_mb: float = 20.0
    """Largest file size."""
    max_seconds: float = 300.0
    """Longest recording."""
    users: int = 2
    """Requests computed at the same time; others wait."""

    @property
    def upload_bytes(self) -> int:
        """Most bytes of a file."""
        return round(self.max_mb * MEGABYTE)

    @property
    def room_bytes(self) -> int:
        """Bytes of memory that all uploads may take together."""
        return _WAITING * self.upload_bytes

    @property
    def allowed(self) -> Allowed:
        """What is accepted of a recording."""
        return Allowed(self.max_seconds, "this page")
