"""Limits of what clients may send and have computed."""

from __future__ import annotations

from dataclasses import dataclass

from training.predict.allowed import Allowed

MEGABYTE = 2**20

MOST_WINDOWS = 2000
"""Most windows of one recording."""

LONGEST_STEP_S = 60.0
"""Longest step of a stream: what lies between two windows is held in memory."""

BODY_S = 120.0
"""Most seconds that the body of a request may take."""


@dataclass(frozen=True)
class ServiceLimits:
    """Limits per request, per client and of the whole service."""

    max_mb: float = 20.0
    """Largest file in MB."""
    max_seconds: float = 300.0
    """Longest recording."""
    max_files: int = 16
    """Most files of a request."""
    rate: float | None = None
    """Most requests per minute of a client; None: any number."""
    max_requests: int = 64
    """Most requests at the same time."""
    max_streams: int = 8
    """Most streams at the same time."""
    max_stream_seconds: float = 3600.0
    """Longest sound of a stream."""

    @property
    def file_bytes(self) -> int:
        """Most bytes of a file."""
        return round(self.max_mb * MEGABYTE)

    @property
    def body_bytes(self) -> int:
        """Most bytes of a request: its files, and the form around them."""
        return self.max_files * (self.file_bytes + 16_384)

    @property
    def room_bytes(self) -> int:
        """Bytes of memory that all requests may take together."""
        return max(self.body_bytes, 16 * self.file_bytes)

    @property
    def allowed(self) -> Allowed:
        """What is accepted of a recording."""
        return Allowed(self.max_seconds, "this service")
