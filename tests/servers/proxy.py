"""A proxy on loopback that spoils the answers of a server."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tests.servers.serving import Handler, serving


@dataclass
class Proxy:
    """Passes requests on to a server and damages the answers that a test chooses."""

    upstream: str
    url: str = ""
    faults: deque[str | None] = field(default_factory=deque)
    """What to do with the next requests: a status like ``503``, ``SlowDown`` (S3's words for it), ``reset``
    (the connection, instead of an answer), ``cut`` (half of the body), ``stall`` (half of the body, then
    nothing for a while); None: nothing."""
    only: str = ""
    """A method; requests of others pass and use up no fault."""
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and bytes sent along, of all requests."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Forget all faults and requests."""
        with self.lock:
            self.faults.clear()
            self.requests.clear()

    def sent(self) -> int:
        """Bytes that clients sent along in all."""
        with self.lock:
            return sum(size for _, _, size in self.requests)


@contextmanager
def proxy_server(upstream: str) -> Iterator[Proxy]:
    """A proxy before the server at ``upstream``, an address with http."""
    proxy = Proxy(upstream)
    with serving(partial(_ProxyHandler, proxy)) as url:
        proxy.url = url
        yield proxy


class _ProxyHandler(Handler):
    def __init__(self, proxy: Proxy, *args: Any) -> None:
        self.proxy = proxy
        super().__init__(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def _pass_on(self) -> None:
        body = self._body()
        with self.proxy.lock:
            self.proxy.requests.append((self.command, self.path, len(body)))
            due = self.proxy.faults and self.proxy.only in ("", self.command)
            fault = self.proxy.faults.popleft() if due else None
        if fault is not None and fault.isdigit():
            self._send(int(fault), {}, b"")
        elif fault == "SlowDown":
            self._send(
                503, {}, b"<Error><Code>SlowDown</Code><Message>reduce your request rate</Message></Error>"
            )
        elif fault == "reset":
            self.reset()
        else:
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: str | None) -> None:
        upstream = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _OF_THE_HOP}
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            data = answer.read()
            self._send(answer.status, dict(answer.getheaders()), data, fault)

    def _send(self, status: int, headers: dict[str, str], data: bytes, fault: str | None = None) -> None:
        self.send_response_only(status)
        kept = {key: value for key, value in headers.items() if key.lower() not in _OF_THE_HOP}
        length = kept.pop("Content-Length", None) if self.command == "HEAD" else str(len(data))
        kept.pop("Content-Length", None)
        for key, value in kept.items():
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault in ("cut", "stall") and len(data) > 1:
            self.wfile.write(data[: len(data) // 2])
            if fault == "stall":
                threading.Event().wait(3)
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)


_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "trailer", "upgrade"}
