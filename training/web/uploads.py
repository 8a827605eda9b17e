"""Recordings that were sent and wait for their answer: in memory, under names that nobody can guess."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from schemas.errors import SerError

TOKEN = "[A-Za-z0-9_-]{43}"  # noqa: S105 a pattern of 256 random bits, in base64
"""Pattern of an upload's name."""

KEPT_S = 120.0
"""An upload that nobody asks about is forgotten after so many seconds."""


class UploadGoneError(SerError):
    """There is no such upload, or no longer."""


class NoRoomError(SerError):
    """Uploads that wait take all the memory that they may."""


@dataclass(frozen=True)
class Upload:
    """A file as it was sent; ``name`` is what its sender calls it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class _Kept:
    upload: Upload
    until: float
    """Time of the clock."""


class Uploads:
    """Uploads of all users, ``room`` bytes of them at most, those that are under way included.

    Nothing is written to a disk: no path that a request names is ever opened, and what is in memory ends
    with the process.
    """

    def __init__(
        self, room: int, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room = room
        self._kept_s = kept_s
        self._clock = clock
        self._reserved = 0
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Keep room for an upload of ``size`` bytes while it is received.

        Raises :class:`NoRoomError`.
        """
        with self._lock:
            self._forget_old()
            if size > self._room - self._taken():
                raise NoRoomError("other recordings are waiting for their answer; try again in a minute")
            self._reserved += size
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= size

    def keep(self, upload: Upload) -> str:
        """Keep what was received; returns its name. Room has been reserved for it."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[token] = _Kept(upload, self._clock() + self._kept_s)
        return token

    def get(self, token: str) -> Upload:
        """The upload called ``token``. Raises :class:`UploadGoneError`."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(token)
        if kept is None:
            raise UploadGoneError(
                "this recording is gone: it was answered, or waited too long; send it again"
            )
        return kept.upload

    @contextmanager
    def take(self, token: str) -> Iterator[Upload]:
        """The upload called ``token``; it is forgotten when the context ends, however it ends.

        Raises :class:`UploadGoneError`.
        """
        upload = self.get(token)
        try:
            yield upload
        finally:
            with self._lock:
                self._kept.pop(token, None)

    def sweep(self) -> None:
        """Forget uploads that nobody asked about."""
        with self._lock:
            self._forget_old()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def _taken(self) -> int:
        return self._reserved + sum(len(kept.upload.content) for kept in self._kept.values())

    def _forget_old(self) -> None:
        now = self._clock()
        for token in [token for token, kept in self._kept.items() if kept.until <= now]:
            del self._kept[token]
