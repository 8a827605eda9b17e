"""Uploaded recordings that wait for their answer: in memory, under names that cannot be guessed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from schemas.errors import SerError
from training.http.form import Upload

TOKEN = "[A-Za-z0-9_-]{43}"  # noqa: S105 a pattern of 256 random bits, in base64
"""Pattern of an upload's name."""

KEPT_S = 120.0
"""Seconds after which an upload is discarded if its answer is not requested."""


class UploadGoneError(SerError):
    """The upload does not exist, or no longer exists."""


class NoRoomError(SerError):
    """Waiting uploads take all the memory that they may."""


@dataclass(frozen=True)
class _Kept:
    upload: Upload
    until: float
    """Clock time at which it is discarded."""


class Uploads:
    """Uploads of all users, at most ``room`` bytes, including uploads in progress.

    Nothing is written to disk: no path in a request is ever opened, and memory is freed with the process.
    An upload in progress takes the room of what has arrived, so one that sends nothing keeps nobody out.
    """

    def __init__(
        self, room: int, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room = room
        self._kept_s = kept_s
        self._clock = clock
        self._arriving = 0
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    @contextmanager
    def receive(self, size: int) -> Iterator[Callable[[int], None]]:
        """Function to be called with the number of bytes of each part of an upload that arrives.

        ``size`` is the announced number of bytes. Raises :class:`NoRoomError` here, and from the function, if
        there is not enough room.
        """
        received = 0

        def arrived(count: int) -> None:
            nonlocal received
            with self._lock:
                self._require_room(count)
                self._arriving += count
                received += count

        with self._lock:
            self._require_room(size)
        try:
            yield arrived
        finally:
            with self._lock:
                self._arriving -= received

    def keep(self, upload: Upload) -> str:
        """Keep an upload, inside :meth:`receive`, and return its name."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[token] = _Kept(upload, self._clock() + self._kept_s)
        return token

    def get(self, token: str) -> Upload:
        """The upload called ``token``. Raises :class:`UploadGoneError` if it does not exist."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(token)
        if kept is None:
            raise UploadGoneError(
                "this recording is no longer available: it was answered, or waited too long; send it again"
            )
        return kept.upload

    @contextmanager
    def take(self, token: str) -> Iterator[Upload]:
        """The upload called ``token``, which is always discarded at the end of the context.

        Raises :class:`UploadGoneError` if it does not exist.
        """
        upload = self.get(token)
        try:
            yield upload
        finally:
            with self._lock:
                self._kept.pop(token, None)

    def sweep(self) -> None:
        """Discard uploads whose answer was not requested in time."""
        with self._lock:
            self._forget_old()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def _require_room(self, size: int) -> None:
        self._forget_old()
        if size > self._room - self._taken():
            raise NoRoomError("too many recordings are waiting for an answer; try again in a minute")

    def _taken(self) -> int:
        return self._arriving + sum(len(kept.upload.content) for kept in self._kept.values())

    def _forget_old(self) -> None:
        now = self._clock()
        for token in [token for token, kept in self._kept.items() if kept.until <= now]:
            del self._kept[token]
