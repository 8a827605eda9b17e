"""How much a visitor of the page may ask for."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 2**20
"""As browsers and Gradio count."""

_WAITING = 16
"""Uploads of the largest size that may wait at once."""


@dataclass(frozen=True)
class Limits:
    """What one recording may take, and how many are computed at once."""

    max_mb: float = 20.0
    """Of a file, as it is sent."""
    max_seconds: float = 300.0
    """Of a recording."""
    users: int = 2
    """Requests that are computed at the same time; others wait for their turn."""

    @property
    def upload_bytes(self) -> int:
        """Bytes of a file, at most."""
        return round(self.max_mb * MEGABYTE)

    @property
    def room_bytes(self) -> int:
        """Memory that all uploads may take together."""
        return _WAITING * self.upload_bytes

    @property
    def most_samples(self) -> int:
        """Numbers that a file may hold, over all channels: stereo at 96 kHz, for as long as is allowed."""
        return round(self.max_seconds * 96_000 * 2)
