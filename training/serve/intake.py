"""Bodies of requests, read into memory: forms with several files, or one file as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from training.http.body import body_parts
from training.http.form import BadFormError, TooManyFilesError, Upload, UploadPausedError, read_files
from training.http.protocol import Receive, Scope
from training.serve.account import Account
from training.serve.limits import BODY_S, MEGABYTE, ServiceLimits
from training.serve.refusal import RefusedError

UNNAMED = "-"
"""Name of a file that is sent without a form, as ``ser-predict`` calls that of standard input."""

_BUSY_S = 1.0


class Intake:
    """Counts the requests that are being answered, and their bytes. Used in one event loop."""

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._computing = 0

    @contextmanager
    def room(self) -> Iterator[_Room]:
        """Room for the body of a request; what has arrived takes it until the end of the context."""
        self._require_idle()
        room = _Room(self)
        try:
            yield room
        finally:
            self._bytes -= room.taken

    @contextmanager
    def slot(self) -> Iterator[None]:
        """One of the requests that are computed at the same time; :class:`RefusedError` if none is free."""
        self._require_idle()
        self._computing += 1
        try:
            yield
        finally:
            self._computing -= 1

    async def files(
        self, scope: Scope, receive: Receive, room: _Room, account: Account
    ) -> tuple[Upload, ...]:
        """Read the files of a request. Raises :class:`RefusedError` if they exceed the limits or are none."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        content_type = headers.get(b"content-type", "")
        limits = self._limits
        is_form = content_type.lower().startswith("multipart/")
        limit = limits.body_bytes if is_form else limits.file_bytes
        announced = headers.get(b"content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_large(is_form=is_form)

        def arrived(count: int) -> None:
            account.bytes += count
            room.take(count)

        parts = body_parts(receive, limit, arrived)
        try:
            async with asyncio.timeout(BODY_S):
                if is_form:
                    return await read_files(content_type, parts, limits.file_bytes, limits.max_files)
                return (Upload(UNNAMED, await _whole(parts)),)
        except OverflowError as error:
            raise self._too_large(is_form=is_form) from error
        except TimeoutError as error:
            raise RefusedError(408, "the request took too long to arrive; send it again") from error
        except TooManyFilesError as error:
            raise RefusedError(413, str(error)) from error
        except UploadPausedError as error:
            raise RefusedError(408, str(error)) from error
        except BadFormError as error:
            raise RefusedError(400, str(error)) from error

    def take(self, count: int) -> None:
        """Take room for bytes. Raises :class:`RefusedError` if there is not enough."""
        if self._bytes + count > self._limits.room_bytes:
            raise RefusedError(503, "too many recordings are being received; try again later", _BUSY_S)
        self._bytes += count

    def _require_idle(self) -> None:
        if self._computing >= self._limits.max_requests:
            raise RefusedError(503, "too many requests are being answered; try again later", _BUSY_S)

    def _too_large(self, *, is_form: bool) -> RefusedError:
        most = f"{self._limits.file_bytes / MEGABYTE:g} MB"
        if is_form:
            most += f" per file and {self._limits.max_files:,} files"
        return RefusedError(413, f"the request is too large; this service accepts at most {most}")


class _Room:
    """Bytes of one request."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.taken = 0

    def take(self, count: int) -> None:
        """Take room for bytes that have arrived."""
        self._intake.take(count)
        self.taken += count


async def _whole(parts: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for part in parts:
        content += part
    if not content:
        raise BadFormError("the request is empty; send a recording as its body, or as a form")
    return bytes(content)
