"""Sockets to listen on, their URLs, and who can reach them."""

from __future__ import annotations

import errno
import socket

from schemas.errors import SerError, UsageError

_PORTS = 100
"""Number of ports to try if none is given."""


class PortTakenError(SerError):
    """Another program is using the port."""


def listen_on(host: str, port: int | None, first: int) -> socket.socket:
    """Open a socket on ``host`` and ``port``; None means the first free port from ``first`` on.

    Raises :class:`PortTakenError`, and :class:`UsageError` if this machine does not have the address.
    """
    for candidate in range(first, first + _PORTS) if port is None else (port,):
        try:
            return _bind(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(
                    f"cannot listen on {host}, port {candidate}: {error.strerror or error}; give "
                    "--host an address of this machine, and a --port above 1023"
                ) from error
    if port is not None:
        raise PortTakenError(f"port {port} on {host} is used by another program; choose another --port")
    raise PortTakenError(
        f"ports {first} to {first + _PORTS - 1} on {host} are used by other programs; choose another --port"
    )


def url_of(bound: socket.socket) -> str:
    """URL of a socket, such as ``http://127.0.0.1:7860``."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach ``host``."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError:
        found.close()
        raise
    return found
