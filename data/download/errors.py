"""What goes wrong while a corpus is downloaded."""

from __future__ import annotations

from schemas.errors import SerError


class DownloadError(SerError):
    """A corpus cannot be downloaded, or is not what its publisher announced."""


class PassingError(Exception):
    """A fault that may be gone at the next attempt; never leaves this package.

    ``wait_s``     : seconds that the server asks to wait, None where it does not say.
    ``progressed`` : whether bytes came before it.
    """

    def __init__(self, reason: str, wait_s: float | None = None, *, progressed: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.progressed = progressed
