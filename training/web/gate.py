"""Filter in front of Gradio: it passes only requests that the page itself makes, and limits their size.

Uploads never reach Gradio. The gate keeps them in memory and returns a name of 256 random bits for each. Of a
browser's description of its file, only that name passes the gate, and of its options only yes or no. So no
path and no address in a request is ever opened.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.http.form import BadFormError, read_file
from training.http.origin import OwnAddress
from training.http.protocol import Application, Receive, Scope, Send
from training.web.asgi import GuardedSend, RefusedError, Request, replay, reply
from training.web.limits import MEGABYTE
from training.web.origin import require_own
from training.web.sessions import SESSION, Sessions
from training.web.uploads import TOKEN, NoRoomError, UploadGoneError, Uploads

_log = logging.getLogger(__name__)

_API = "/gradio_api"
_LET_THROUGH = {
    "GET": re.compile(
        rf"/|/config|/theme\.css|/manifest\.json|/(?:assets|static)/[A-Za-z0-9_./@+-]+|"
        rf"{_API}/(?:startup-events|heartbeat/{SESSION})"
    ),
    "POST": re.compile(rf"{_API}/(?:cancel|reset)"),
}
_FILE = re.compile(rf"{_API}/file=({TOKEN})")

_FORM_EXTRA = 16_384
"""Most bytes of a form in addition to its file."""

_SLOWEST_S = 120.0
"""Most seconds that an upload may take."""


class Gate:
    """ASGI application in front of ``page``, for requests to its ``own`` address."""

    def __init__(
        self,
        page: Application,
        uploads: Uploads,
        sessions: Sessions,
        upload_bytes: int,
        own: OwnAddress,
    ) -> None:
        self._page = page
        self._uploads = uploads
        self._upload_bytes = upload_bytes
        self._sessions = sessions
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI 3.0 connection."""
        if scope["type"] == "lifespan":
            await self._page(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # WebSockets are not supported
        guarded = GuardedSend(send)
        try:
            await self._http(Request(scope, receive), guarded)
        except RefusedError as refused:
            await reply(guarded, refused.status, {"detail": str(refused)})
        except Exception:  # noqa: BLE001 visitors get a sentence; the operator sees the cause
            _log.exception("a request failed")
            if not guarded.started:
                await reply(guarded, 500, {"detail": "the server failed; its terminal shows the cause"})

    async def _http(self, request: Request, send: GuardedSend) -> None:
        require_own(request, self._own)
        method = "GET" if request.method == "HEAD" else request.method
        path = request.path
        if (method, path) == ("POST", f"{_API}/upload"):
            await reply(send, 200, [await self._receive(request)])
        elif (method, path) == ("GET", f"{_API}/upload_progress"):
            await reply(send, 204, b"", "text/event-stream")
        elif method == "GET" and (found := _FILE.fullmatch(path)):
            await reply(send, 200, self._content(found[1]), "application/octet-stream")
        elif (method, path) == ("POST", f"{_API}/queue/join"):
            session, body = _join_request(await request.small_body())
            self._sessions.add(session)
            await self._page(request.without_query(), replay(body), send)
        elif (request.method, path) == ("GET", f"{_API}/queue/data"):
            await self._stream(request, send)
        elif (method, path) == ("GET", "/favicon.ico"):
            await reply(send, 204, b"", "image/x-icon")
        elif method in _LET_THROUGH and _LET_THROUGH[method].fullmatch(path) and ".." not in path:
            body = b"" if method == "GET" else await request.small_body()
            receive = request.receive if method == "GET" else replay(body)
            await self._page(request.without_query(), receive, send)
        else:
            raise RefusedError(404, "there is nothing here")

    async def _stream(self, request: Request, send: GuardedSend) -> None:
        """Stream the answers of a session. Gradio fails if it does not know it, or no longer does."""
        session = self._sessions.asked_for(request.scope["query_string"])
        scope = {**request.without_query(), "query_string": f"session_hash={session}".encode()}
        try:
            with self._sessions.streaming(session):
                await self._page(scope, request.receive, send)
        except RefusedError:
            raise
        except Exception as error:
            if not _is_gone(error):
                raise
            self._sessions.forget(session)
            if not send.started:
                raise RefusedError(404, "this session has ended; send the recording again") from None

    async def _receive(self, request: Request) -> str:
        size = request.size
        if size > self._upload_bytes + _FORM_EXTRA:
            raise self._too_large()
        try:
            with self._uploads.receive(size) as arrived:
                async with asyncio.timeout(_SLOWEST_S):
                    upload = await read_file(
                        request.header("content-type"), request.body(size, arrived), self._upload_bytes
                    )
                return self._uploads.keep(upload)
        except NoRoomError as error:
            raise RefusedError(503, str(error)) from error
        except OverflowError as error:
            raise self._too_large() from error
        except (BadFormError, TimeoutError) as error:
            raise RefusedError(400, str(error) or "the upload took too long") from error

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413, f"the file is too large; this page accepts at most {self._upload_bytes / MEGABYTE:g} MB"
        )

    def _content(self, token: str) -> bytes:
        try:
            return self._uploads.get(token).content
        except UploadGoneError as error:
            raise RefusedError(404, str(error)) from error


class _UploadedFile(BaseModel):
    """A browser's description of its upload. Only ``path`` is used; it must be a name given by the gate."""

    model_config = ConfigDict(extra="ignore", strict=True)

    path: Annotated[str, Field(pattern=f"^{TOKEN}$")]


class _Join(BaseModel):
    """The page's request to predict an upload, and whether to explain the prediction."""

    model_config = ConfigDict(extra="ignore", strict=True)

    data: tuple[_UploadedFile, bool]
    fn_index: Annotated[int, Field(ge=0, le=0)]
    trigger_id: int | None = None
    session_hash: Annotated[str, Field(pattern=f"^{SESSION}$")]


def _join_request(body: bytes) -> tuple[str, bytes]:
    """The session, and the request as Gradio receives it: the upload's name instead of a file description."""
    try:
        asked = _Join.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(400, "the page does not make such a request; send a recording first") from error
    values = asked.model_dump(include={"fn_index", "trigger_id", "session_hash"})
    upload, explains = asked.data
    question = {**values, "data": [upload.path, explains], "event_data": None}
    return asked.session_hash, json.dumps(question).encode()


def _is_gone(error: Exception) -> bool:
    """Whether Gradio failed because a session has ended, which it reports as status 404."""
    if isinstance(error, ExceptionGroup):
        return all(map(_is_gone, error.exceptions))
    return getattr(error, "status_code", None) == 404
