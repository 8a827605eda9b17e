"""The server of the live page: its files over HTTP, and one WebSocket per page that listens."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from schemas.messages.counts import format_count
from training.http.origin import OwnAddress
from training.http.protocol import Receive, Scope, Send
from training.predict.ensemble import Ensemble
from training.web.asgi import GuardedSend, RefusedError, Request, reply
from training.web.limits import Limits
from training.web.live.listener import Listener
from training.web.live.messages import End
from training.web.live.page import POLICY, WebFile
from training.web.origin import require_own

STREAM = "/stream"

_log = logging.getLogger(__name__)


class LiveApplication:
    """ASGI application of the live page, for requests to its ``own`` address.

    At most ``limits.users`` pages listen at the same time, each for at most ``limits.max_seconds``. Samples
    stay in memory, and only those of the longest window.
    """

    def __init__(
        self,
        model: Ensemble,
        files: Mapping[str, WebFile],
        limits: Limits,
        own: OwnAddress,
    ) -> None:
        self._model = model
        self._files = files
        self._limits = limits
        self._own = own
        self._listening = 0
        self._pool = ThreadPoolExecutor(limits.users, thread_name_prefix="listen")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI 3.0 connection."""
        if scope["type"] == "http":
            await self._http(Request(scope, receive), GuardedSend(send, POLICY))
        elif scope["type"] == "websocket":
            await self._websocket(Request(scope, receive), send)

    def close(self) -> None:
        """Wait until the windows that are being predicted are done."""
        self._pool.shutdown(cancel_futures=True)

    async def _http(self, request: Request, send: GuardedSend) -> None:
        try:
            require_own(request, self._own)
            if request.path == "/favicon.ico":
                await reply(send, 204, b"", "image/x-icon")
                return
            file = self._find(request)
            await reply(send, 200, file.content, file.kind)
        except RefusedError as refused:
            await reply(send, refused.status, {"detail": str(refused)})

    def _find(self, request: Request) -> WebFile:
        file = self._files.get(request.path)
        if file is None or request.method not in {"GET", "HEAD"}:
            raise RefusedError(404, "there is nothing here")
        return file

    def _require_listener(self, request: Request) -> None:
        require_own(request, self._own)
        if request.path != STREAM:
            raise RefusedError(404, "there is nothing here")

    async def _websocket(self, request: Request, send: Send) -> None:
        await request.receive()  # the handshake
        try:
            self._require_listener(request)
        except RefusedError:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: status 403
            return
        await send({"type": "websocket.accept"})
        if self._listening >= self._limits.users:
            count = format_count(self._limits.users, "page")
            problem = f"this server listens to {count} at a time; try again later"
            await _end(send, problem)
            return
        self._listening += 1
        try:
            listener = Listener(self._model, self._limits.max_seconds, self._pool, request.receive, send)
            await listener.listen()
        except OSError:
            return  # the page was closed while the server answered
        except Exception:  # noqa: BLE001 visitors get a sentence; the operator sees the cause
            _log.exception("a page could not be listened to")
            await _end(send, "the server failed; its terminal shows the cause")
        finally:
            self._listening -= 1


async def _end(send: Send, problem: str) -> None:
    with suppress(OSError):  # the page was closed
        await send({"type": "websocket.send", "text": End(problem=problem).model_dump_json()})
        await send({"type": "websocket.close", "code": 1000})
