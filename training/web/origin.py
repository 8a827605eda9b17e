"""Which page a request comes from: other pages in a visitor's browser must not use this server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from training.web.asgi import RefusedError, Request


def require_own(request: Request, hosts: frozenset[str] | None) -> None:
    """Refuse requests that other pages make from a visitor's browser, also under their own host names.

    ``hosts`` : host names that requests may use, in lower case; None: any. Raises :class:`RefusedError`.
    """
    host, origin = request.header("host").lower(), request.header("origin").lower()
    if hosts is not None and _without_port(host) not in hosts:
        raise RefusedError(403, "this page was requested under an unknown host name; see --public-url")
    from_elsewhere = request.header("sec-fetch-site").lower() in {"cross-site", "same-site"}
    allowed = {_without_port(host), *(hosts or ())}
    other = origin not in {"", "null"} and _without_port(origin.partition("://")[2]) not in allowed
    if other or origin == "null" or (from_elsewhere and request.path != "/"):
        raise RefusedError(403, "only this page itself may make requests")


def require_same_port(request: Request, public_url: str | None) -> None:
    """Refuse a WebSocket that a page of another port opens, such as of another server on this machine.

    Browsers do not say ``Sec-Fetch-Site`` for WebSockets, and let any page open them. Behind a proxy, the
    page's address is that of ``public_url``. Raises :class:`RefusedError`.
    """
    origin = request.header("origin").lower()
    allowed = {request.header("host").lower(), urlsplit(public_url or "").netloc.lower()}
    if origin and origin.partition("://")[2] not in allowed:
        raise RefusedError(403, "only this page itself may listen")


def lower_case(hosts: Iterable[str] | None) -> frozenset[str] | None:
    """Host names as :func:`require_own` compares them."""
    return None if hosts is None else frozenset(host.lower() for host in hosts)


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host)
