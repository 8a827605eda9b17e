"""Read the body of a request in parts, up to a limit, from senders that may be slow or hostile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from training.http.form import BadFormError, UploadPausedError
from training.http.protocol import Receive

PAUSE_S = 20.0
"""Most seconds between two parts of a request."""


async def body_parts(
    receive: Receive, limit: int, arrived: Callable[[int], None] | None = None
) -> AsyncIterator[bytes]:
    """Parts of the body of an ASGI request. ``arrived`` is called with the size of each.

    Raises OverflowError after ``limit`` bytes, :class:`BadFormError` if the body breaks off, and
    :class:`UploadPausedError` if it pauses for :data:`PAUSE_S`.
    """
    received = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(PAUSE_S):
                message = await receive()
        except TimeoutError:
            raise UploadPausedError("the upload stopped; send the recording again") from None
        if message["type"] == "http.disconnect":
            raise BadFormError("the upload broke off")
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise OverflowError
        if arrived is not None:
            arrived(len(chunk))
        yield chunk
        more = message.get("more_body", False)
