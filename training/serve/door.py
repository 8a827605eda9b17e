"""What every request passes: host, token and rate first; at the end headers, errors, log and metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from training.http.origin import OwnAddress
from training.http.protocol import Application, Message, Receive, Scope, Send
from training.serve.account import Account, Metrics
from training.serve.documents import encode
from training.serve.rates import Rates
from training.serve.refusal import FAILED, RefusedError
from training.serve.tokens import Tokens

_log = logging.getLogger(__name__)

OPEN_ROUTES = ("/healthz", "/docs", "/openapi.json")
"""Routes that need no token: they hold nothing about the model or its clients."""

_ASSETS = "/static-offline-docs/"
_ROUTES = (*OPEN_ROUTES, "/v1/predict", "/v1/windows", "/v1/stream", "/v1/model", "/metrics")

_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", _POLICY),
)
"""The page of the interface may contact only this server."""


_REFUSAL_S = 5.0
"""Most seconds until a client takes a refusal; it may have stopped reading."""


@dataclass(frozen=True)
class Door:
    """ASGI application in front of ``inside``.

    ``own`` : the address of the service; other names and other pages are refused. ``write_log`` : called
    with each request's account when it has ended.
    """

    inside: Application
    tokens: Tokens
    rates: Rates | None
    own: OwnAddress
    metrics: Metrics
    write_log: Callable[[Account], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI 3.0 connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.inside(scope, receive, send)
            return
        account = Account(_route(str(scope["path"])))
        answer = _Answer(scope, account, send)
        self.metrics.in_flight.inc()
        try:
            self._require_welcome(scope)
            await self.inside(
                {**scope, "state": {**scope.get("state", {}), "account": account}}, receive, answer
            )
        except RefusedError as refused:
            await answer.refuse(refused)
        except Exception:  # noqa: BLE001 clients get a sentence; the operator sees the cause
            _log.exception("a request failed")
            await answer.refuse(RefusedError(500, FAILED))
        finally:
            account.status = account.status or 499  # the client went away
            self.metrics.in_flight.dec()
            self.metrics.count(account)
            self.write_log(account)

    def _require_welcome(self, scope: Scope) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._require_own(headers)
        path = str(scope["path"])
        if path in OPEN_ROUTES or path.startswith(_ASSETS):
            return
        address = scope.get("client")
        client = str(address[0]) if address else ""
        if self.tokens.values:
            holder = self.tokens.holder(headers.get(b"authorization", ""))
            if holder is None:
                raise RefusedError(401, "send the service's token in a header: Authorization: Bearer TOKEN")
            client = f"token {holder}"
        if self.rates is not None and path.startswith("/v1/"):
            wait = self.rates.take(client)
            if wait:
                raise RefusedError(429, f"too many requests; try again in {wait:.0f} s", wait)

    def _require_own(self, headers: dict[bytes, str]) -> None:
        """Refuse requests that other pages make from a browser on this machine, whatever name they use."""
        host = headers.get(b"host", "")
        if not self.own.has_name(host):
            raise RefusedError(403, "this service was requested under an unknown host name; see --public-url")
        if not self.own.has_page(headers.get(b"origin", ""), host):
            raise RefusedError(403, "pages of other servers may not make requests")


class _Answer:
    """``send`` that notes the status, adds headers, and can still refuse if nothing has been sent."""

    def __init__(self, scope: Scope, account: Account, send: Send) -> None:
        self._scope, self._account, self._send = scope, account, send
        self._started = self._closed = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._started = True
            self._account.status = int(message["status"])
            known = {name.lower() for name, _ in message.get("headers", ())}
            extra = [header for header in _HEADERS if header[0] not in known]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        elif kind == "websocket.accept":
            self._started = True
            self._account.status = 101
        elif kind == "websocket.close":
            self._closed = True
        await self._send(message)

    async def refuse(self, refused: RefusedError) -> None:
        """Send a refusal, if the client can still receive it, and takes it within :data:`_REFUSAL_S`."""
        with suppress(OSError):  # the client has gone, or does not read: TimeoutError
            async with asyncio.timeout(_REFUSAL_S):
                await self._refuse(refused)

    async def _refuse(self, refused: RefusedError) -> None:
        if self._scope["type"] == "websocket" and self._started:
            self._account.status = refused.status
            if not self._closed:
                await self({"type": "websocket.send", "text": encode({"detail": str(refused)}).decode()})
                await self({"type": "websocket.close", "code": 1011 if refused.status >= 500 else 1008})
            return
        if self._started:
            return
        body = encode({"detail": str(refused)})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in refused.headers.items()]
        prefix = "websocket.http" if self._scope["type"] == "websocket" else "http"
        await self({"type": f"{prefix}.response.start", "status": refused.status, "headers": headers})
        await self({"type": f"{prefix}.response.body", "body": body})


def _route(path: str) -> str:
    """A route for the log and the metrics; what clients invent has one name."""
    return path if path in _ROUTES else "other"
