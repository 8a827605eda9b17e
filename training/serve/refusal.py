"""Requests that are refused: a status, one sentence, and what the client may do next."""

from __future__ import annotations

from collections.abc import Mapping

FAILED = "the service failed; its log shows the cause"
"""What a client learns about an error of the service itself."""


class RefusedError(Exception):
    """A request that is refused with ``status`` and a sentence; ``retry_s``: when to try again."""

    def __init__(self, status: int, sentence: str, retry_s: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_s = retry_s

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the response."""
        if self.status == 401:
            return {"www-authenticate": "Bearer"}
        return {} if self.retry_s is None else {"retry-after": str(max(1, -int(-self.retry_s // 1)))}
