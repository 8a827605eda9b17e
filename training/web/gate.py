"""What stands before Gradio: only the requests that the page makes, only so large, only from the page itself.

Uploads never reach Gradio. The gate keeps them in memory, hands out a name of 256 random bits for each, and
of what a browser says about its file lets that name alone through. So no path and no address that a request
holds is ever opened.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.web.form import BadFormError, file_of
from training.web.limits import MEGABYTE
from training.web.uploads import TOKEN, NoRoomError, UploadGoneError, Uploads

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy: the browser asks nobody but this server, whatever Gradio's page would like."""

_log = logging.getLogger(__name__)

_API = "/gradio_api"
_SESSION = "[A-Za-z0-9_-]{1,64}"
_LET_THROUGH = {
    "GET": re.compile(
        rf"/|/config|/theme\.css|/manifest\.json|/(?:assets|static)/[A-Za-z0-9_./@+-]+|"
        rf"{_API}/(?:startup-events|queue/data|heartbeat/{_SESSION})"
    ),
    "POST": re.compile(rf"{_API}/(?:cancel|reset)"),
}
_FILE = re.compile(rf"{_API}/file=({TOKEN})")

_SMALL = 16_384
"""Bytes of a request that is no upload, at most."""

_FORM_EXTRA = 16_384
"""Bytes of a form around its file, at most."""

_SLOWEST_S = 120.0
"""An upload that takes longer is given up."""


class Gate:
    """ASGI application before ``page``. ``hosts``: names by which it may be asked for; None: any."""

    def __init__(
        self, page: Application, uploads: Uploads, upload_bytes: int, hosts: Iterable[str] | None
    ) -> None:
        self._page = page
        self._uploads = uploads
        self._upload_bytes = upload_bytes
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification, 3.0."""
        if scope["type"] == "lifespan":
            await self._page(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSocket is offered
        guarded = _GuardedSend(send)
        try:
            await self._http(_Request(scope, receive), guarded)
        except _RefusedError as refused:
            await _reply(guarded, refused.status, {"detail": str(refused)})
        except Exception:  # noqa: BLE001 visitors get a sentence; who runs the server sees why
            _log.exception("a request failed")
            if not guarded.started:
                await _reply(guarded, 500, {"detail": "the server failed; its terminal says why"})

    async def _http(self, request: _Request, send: Send) -> None:
        self._require_own(request)
        method = "GET" if request.method == "HEAD" else request.method
        path = request.path
        if (method, path) == ("POST", f"{_API}/upload"):
            await _reply(send, 200, [await self._received(request)])
        elif (method, path) == ("GET", f"{_API}/upload_progress"):
            await _reply(send, 204, b"", "text/event-stream")
        elif method == "GET" and (found := _FILE.fullmatch(path)):
            await _reply(send, 200, self._content(found[1]), "application/octet-stream")
        elif (method, path) == ("POST", f"{_API}/queue/join"):
            body = _joining(await request.small_body())
            await self._page(request.without_query(), _once(body), send)
        elif (method, path) == ("GET", "/favicon.ico"):
            await _reply(send, 204, b"", "image/x-icon")
        elif method in _LET_THROUGH and _LET_THROUGH[method].fullmatch(path) and ".." not in path:
            body = b"" if method == "GET" else await request.small_body()
            scope = request.scope if path == f"{_API}/queue/data" else request.without_query()
            receive = request.receive if method == "GET" else _once(body)
            await self._page(scope, receive, send)
        else:
            raise _RefusedError(404, "there is nothing here")

    def _require_own(self, request: _Request) -> None:
        """Refuse what other pages ask for in a visitor's browser, under names of their own too."""
        host, origin = request.header("host").lower(), request.header("origin").lower()
        if self._hosts is not None and _without_port(host) not in self._hosts:
            raise _RefusedError(
                403, "this page is asked for by a name that it does not have; see --public-url"
            )
        from_elsewhere = request.header("sec-fetch-site").lower() in {"cross-site", "same-site"}
        allowed = {_without_port(host), *(self._hosts or ())}
        other = origin not in {"", "null"} and _without_port(origin.partition("://")[2]) not in allowed
        if other or origin == "null" or (from_elsewhere and request.path != "/"):
            raise _RefusedError(403, "only this page itself may ask")

    async def _received(self, request: _Request) -> str:
        size = request.size
        if size > self._upload_bytes + _FORM_EXTRA:
            raise self._too_large()
        try:
            with self._uploads.reserved(size):
                async with asyncio.timeout(_SLOWEST_S):
                    upload = await file_of(
                        request.header("content-type"), request.body(size), self._upload_bytes
                    )
        except NoRoomError as error:
            raise _RefusedError(503, str(error)) from error
        except OverflowError as error:
            raise self._too_large() from error
        except (BadFormError, TimeoutError) as error:
            raise _RefusedError(400, str(error) or "the upload took too long") from error
        return self._uploads.keep(upload)

    def _too_large(self) -> _RefusedError:
        return _RefusedError(
            413, f"the file is too large; this page takes {self._upload_bytes / MEGABYTE:g} MB at most"
        )

    def _content(self, token: str) -> bytes:
        try:
            return self._uploads.look(token).content
        except UploadGoneError as error:
            raise _RefusedError(404, str(error)) from error


class _RefusedError(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Request:
    """The parts of a request that decide on it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.method, self.path = str(scope["method"]), str(scope["path"])
        self._headers = {name.lower(): value for name, value in scope["headers"]}

    def header(self, name: str) -> str:
        return str(self._headers.get(name.encode(), b"").decode("latin-1"))

    @property
    def size(self) -> int:
        """Bytes that the body has, as announced."""
        announced = self.header("content-length")
        if not announced.isdecimal():
            raise _RefusedError(411, "say how long the request is (Content-Length)")
        return int(announced)

    async def body(self, limit: int) -> AsyncIterator[bytes]:
        received = 0
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadFormError("the upload broke off")
            chunk = message.get("body", b"")
            received += len(chunk)
            if received > limit:
                raise OverflowError
            yield chunk
            more = message.get("more_body", False)

    async def small_body(self) -> bytes:
        if self.size > _SMALL:
            raise _RefusedError(413, "the request is too large")
        try:
            return b"".join([chunk async for chunk in self.body(_SMALL)])
        except (BadFormError, OverflowError) as error:
            raise _RefusedError(400, "the request broke off") from error

    def without_query(self) -> Scope:
        """Nothing that a link says after its question mark reaches Gradio."""
        headers = [
            (name, value) for name, value in self.scope["headers"] if name.lower() != b"content-length"
        ]
        return {**self.scope, "query_string": b"", "headers": headers}


class _File(BaseModel):
    """What a browser says of its upload. Only ``path`` is taken, and it must be a name that the gate gave."""

    model_config = ConfigDict(extra="ignore", strict=True)

    path: Annotated[str, Field(pattern=f"^{TOKEN}$")]


class _Join(BaseModel):
    """A question of the page: what does this upload sound like?"""

    model_config = ConfigDict(extra="ignore", strict=True)

    data: Annotated[list[_File], Field(min_length=1, max_length=1)]
    fn_index: Annotated[int, Field(ge=0, le=0)]
    trigger_id: int | None = None
    session_hash: Annotated[str, Field(pattern=f"^{_SESSION}$")]


def _joining(body: bytes) -> bytes:
    """The question as Gradio gets it: the upload's name as text, in place of a description of a file."""
    try:
        asked = _Join.model_validate_json(body)
    except ValidationError as error:
        raise _RefusedError(400, "this is no question that the page asks; send a recording first") from error
    values = asked.model_dump(include={"fn_index", "trigger_id", "session_hash"})
    return json.dumps({**values, "data": [asked.data[0].path], "event_data": None}).encode()


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host)


def _once(body: bytes) -> Receive:
    """A body that was read already; after it, silence: the page's answer is short."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


class _GuardedSend:
    """``send`` that adds the headers which keep a browser to this server."""

    _EXTRA = (
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
    )

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._EXTRA]}
        await self._send(message)


async def _reply(send: Send, status: int, content: Any, kind: str = "application/json") -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
