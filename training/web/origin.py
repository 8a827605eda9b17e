"""Refuse requests that other pages make from a visitor's browser."""

from __future__ import annotations

from training.http.origin import OwnAddress
from training.web.asgi import RefusedError, Request


def require_own(request: Request, own: OwnAddress) -> None:
    """Refuse requests that other pages make, also under their own host names, and on other ports.

    Raises :class:`RefusedError`.
    """
    host, origin = request.header("host"), request.header("origin")
    if not own.has_name(host):
        raise RefusedError(403, "this page was requested under an unknown host name; see --public-url")
    from_elsewhere = request.header("sec-fetch-site").lower() in {"cross-site", "same-site"}
    if not own.has_page(origin, host) or (from_elsewhere and request.path != "/"):
        raise RefusedError(403, "only this page itself may make requests")
