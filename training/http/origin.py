"""Which page a request comes from: other pages in a visitor's browser must not use this program's servers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from training.http.listen import is_loopback

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class OwnAddress:
    """The names under which a server may be requested, and the pages that may request it.

    ``names`` : host names without ports, in lower case; None: any. ``public`` : host and port of the public
    address; empty if there is none.
    """

    names: frozenset[str] | None
    public: str

    @classmethod
    def of(cls, host: str, public_url: str | None) -> OwnAddress:
        """Address of a server that listens on ``host``, perhaps behind a proxy at ``public_url``.

        If only this machine can reach ``host``, other names are refused: a page elsewhere could point its own
        name to this machine.
        """
        parts = urlsplit(public_url or "")
        public = _without_default_port(parts.netloc.lower(), parts.scheme)
        names = {
            "localhost",
            "127.0.0.1",
            "[::1]",
            host.lower(),
            *([_without_port(public)] if public else []),
        }
        return cls(frozenset(names) if is_loopback(host) else None, public)

    def has_name(self, host: str) -> bool:
        """Whether a request with this ``Host`` header is for this server."""
        return self.names is None or _without_port(host.lower()) in self.names

    def has_page(self, origin: str, host: str) -> bool:
        """Whether ``Origin`` is a page of this server, given the ``Host`` header of the request.

        Ports count, as other servers of this machine have pages too. Programs send no origin. Behind a proxy
        that rewrites ``Host``, the origin is the public address.
        """
        if not origin:
            return True
        page = urlsplit(origin.lower())
        allowed = {_without_default_port(host.lower(), page.scheme), self.public} - {""}
        return page.scheme in _DEFAULT_PORTS and _without_default_port(page.netloc, page.scheme) in allowed


def _without_default_port(netloc: str, scheme: str) -> str:
    return netloc.removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host)
