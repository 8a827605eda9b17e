"""ASGI requests and responses, and the security headers of every response."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from training.http.body import body_parts
from training.http.form import BadFormError
from training.http.protocol import Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy: the browser contacts only this server, whatever Gradio's page tries to load."""

_SMALL = 16_384
"""Most bytes of a request that is not an upload."""


class RefusedError(Exception):
    """A request that is refused with ``status`` and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Request:
    """The parts of a request that the gate checks. Invalid ones raise :class:`RefusedError`.

    ``method`` is GET for the handshake of a WebSocket.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.method, self.path = str(scope.get("method", "GET")), str(scope["path"])
        self._headers = {name.lower(): value for name, value in scope["headers"]}

    def header(self, name: str) -> str:
        """Value of a header; empty if the header is missing."""
        return str(self._headers.get(name.encode(), b"").decode("latin-1"))

    @property
    def size(self) -> int:
        """Size of the body in bytes, as announced."""
        announced = self.header("content-length")
        if not announced.isdecimal():
            raise RefusedError(411, "the request has no valid length (Content-Length)")
        return int(announced)

    async def body(self, limit: int, arrived: Callable[[int], None] | None = None) -> AsyncIterator[bytes]:
        """Parts of the body, as :func:`training.http.body.body_parts` yields them."""
        async for chunk in body_parts(self.receive, limit, arrived):
            yield chunk

    async def small_body(self) -> bytes:
        """The whole body of a request that is not an upload."""
        if self.size > _SMALL:
            raise RefusedError(413, "the request is too large")
        try:
            return b"".join([chunk async for chunk in self.body(_SMALL)])
        except (BadFormError, OverflowError) as error:
            raise RefusedError(400, "the request broke off") from error

    def without_query(self) -> Scope:
        """The request's scope without its query string, which must not reach Gradio."""
        headers = [
            (name, value) for name, value in self.scope["headers"] if name.lower() != b"content-length"
        ]
        return {**self.scope, "query_string": b"", "headers": headers}


def replay(body: bytes) -> Receive:
    """Receive channel that repeats a body that has already been read, and then reports a disconnect."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


class GuardedSend:
    """``send`` that adds headers which restrict a browser to this server."""

    def __init__(self, send: Send, policy: str = POLICY) -> None:
        self._send = send
        self._extra = (
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
        )
        self.started = False
        """Whether the response has begun."""

    async def __call__(self, message: Message) -> None:
        """Send an ASGI 3.0 message."""
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._extra]}
        await self._send(message)


async def reply(send: Send, status: int, content: Any, kind: str = "application/json") -> None:
    """Send a complete response: bytes unchanged, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
