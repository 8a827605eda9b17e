"""Errors of a download."""

from __future__ import annotations

from schemas.errors import SerError


class DownloadError(SerError):
    """A corpus cannot be downloaded, or differs from what its publisher announced."""


class PassingError(Exception):
    """A temporary fault, after which the request is repeated; never leaves this package.

    ``wait_s``     : seconds to wait as requested by the server, None if it gives none.
    ``progressed`` : whether bytes were received before the fault.
    """

    def __init__(self, reason: str, wait_s: float | None = None, *, progressed: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.progressed = progressed
