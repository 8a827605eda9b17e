"""The web server: finds a port, serves, and shuts down cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from featurestore.places.durable import cause_of
from schemas.errors import SerError, StorageError, UsageError
from schemas.telemetry import OPT_OUTS
from training.web.asgi import Application
from training.web.uploads import Uploads

PORT = 7860
_PORTS = 100
"""Number of ports to try if none is given."""

_LAST_S = 2
"""Seconds that running requests may take after the server is stopped."""

_SWEEP_S = 10.0

MOST_IN_MESSAGE = 2**20
"""Most bytes of a message of a WebSocket."""


class PortTakenError(SerError):
    """Another program is using the port."""


def listen_on(host: str, port: int | None) -> socket.socket:
    """Open a socket on ``host`` and ``port``; None means the first free port from :data:`PORT` on.

    Raises :class:`PortTakenError`, and :class:`UsageError` if this machine does not have the address.
    """
    for candidate in range(PORT, PORT + _PORTS) if port is None else (port,):
        try:
            return _bind(host, candidate)
        except OSError as error:
            if not _is_taken(error):
                raise UsageError(
                    f"cannot listen on {host}, port {candidate}: {error.strerror or error}; give "
                    "--host an address of this machine, and a --port above 1023"
                ) from error
    if port is not None:
        raise PortTakenError(f"port {port} on {host} is used by another program; choose another --port")
    raise PortTakenError(
        f"ports {PORT} to {PORT + _PORTS - 1} on {host} are used by other programs; choose another --port"
    )


def url_of(bound: socket.socket) -> str:
    """URL of a socket, such as ``http://127.0.0.1:7860``."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts_of(host: str, public_url: str | None) -> frozenset[str] | None:
    """Host names that requests may use; None, meaning any, if ``host`` is open to other machines."""
    if not is_loopback(host):
        return None
    public = urlsplit(public_url).hostname if public_url else None
    return frozenset({"localhost", "127.0.0.1", "[::1]", host, *([public] if public else [])})


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach ``host``."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


@contextmanager
def isolate_gradio() -> Iterator[Path]:
    """Keep Gradio from contacting other servers, and give it a private folder for its files.

    Must be entered before Gradio is imported. The folder is removed at the end.
    """
    with _private_folder() as folder:
        settings = {
            **OPT_OUTS,
            "HF_HUB_OFFLINE": "1",
            "GRADIO_TEMP_DIR": folder,
            "GRADIO_SHARE": "False",
            "GRADIO_MCP_SERVER": "False",
            "GRADIO_SSR_MODE": "False",
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def _private_folder() -> Iterator[str]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="ser-demo-")
    except OSError as error:
        raise StorageError(
            f"cannot create a temporary folder: {cause_of(error)}; free some space, or set TMPDIR to another "
            "folder"
        ) from error
    with folder as path:
        yield path


def serve(
    application: Application, bound: socket.socket, ready: Callable[[], None], uploads: Uploads | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM; ``ready`` is called when the server accepts requests.

    Old ``uploads`` are discarded from time to time. An application without uploads may use WebSockets.
    """
    config = uvicorn.Config(
        application,
        log_level="critical",  # the gate logs failures; a page that is still open at the end is not an error
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_S,
        proxy_headers=False,
        ws="websockets-sansio" if uploads is None else "none",
        ws_max_size=MOST_IN_MESSAGE,
        ws_per_message_deflate=False,
    )
    asyncio.run(_serve_until_stopped(_Server(config), bound, uploads, ready))


class _Server(uvicorn.Server):
    """A server that leaves signals to this module: uvicorn would raise them again and skip the cleanup."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Do not handle signals."""
        return nullcontext()


async def _serve_until_stopped(
    server: _Server, bound: socket.socket, uploads: Uploads | None, ready: Callable[[], None]
) -> None:
    tasks = [asyncio.create_task(_tell(server, ready))]
    if uploads is not None:
        tasks.append(asyncio.create_task(_sweep(uploads)))
    with _stop_on_signals(server):
        await server.serve(sockets=[bound])
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def _stop_on_signals(server: _Server) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


async def _sweep(uploads: Uploads) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        uploads.sweep()


async def _tell(server: _Server, ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    ready()


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


def _is_taken(error: OSError) -> bool:
    import errno

    return error.errno == errno.EADDRINUSE
