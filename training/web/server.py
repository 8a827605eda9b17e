"""The server of a page, from a free port to a clean end."""

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

from schemas.errors import SerError, UsageError
from training.web.asgi import Application
from training.web.uploads import Uploads

PORT = 7860
_PORTS = 100
"""Ports that are tried where none is asked for."""

_LAST_S = 2
"""An answer that is under way when the server is stopped gets so many seconds more."""

_SWEEP_S = 10.0


class PortTakenError(SerError):
    """Another program listens on the port."""


def listen_on(host: str, port: int | None) -> socket.socket:
    """Socket that listens on ``host`` and ``port``; None: :data:`PORT`, or the next that is free.

    Raises :class:`PortTakenError`, and :class:`UsageError` for an address that this machine does not have.
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
    asked = f"port {port} is" if port is not None else f"ports {PORT} to {PORT + _PORTS - 1} are"
    raise PortTakenError(f"{asked} taken by another program on {host}; give another --port")


def url_of(bound: socket.socket) -> str:
    """``http://127.0.0.1:7860`` of a socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts_of(host: str, public_url: str | None) -> frozenset[str] | None:
    """Names by which the page may be asked for; None where ``host`` is open to others, by whatever name."""
    if not is_loopback(host):
        return None
    public = urlsplit(public_url).hostname if public_url else None
    return frozenset({"localhost", "127.0.0.1", "[::1]", host, *([public] if public else [])})


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach ``host``."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


@contextmanager
def isolate_gradio() -> Iterator[Path]:
    """Environment in which Gradio asks nobody anything and has a folder of this process alone for its files.

    To be entered before Gradio is imported. The folder is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="ser-demo-") as folder:
        settings = {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_DISABLE_TELEMETRY": "1",
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


def serve(
    application: Application, bound: socket.socket, uploads: Uploads, ready: Callable[[], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM; ``ready`` is called once requests are answered."""
    config = uvicorn.Config(
        application,
        log_level="critical",  # failures are told by the gate; an open page is no error when the server ends
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_S,
        proxy_headers=False,
        ws="none",
    )
    asyncio.run(_serve_until_stopped(_Server(config), bound, uploads, ready))


class _Server(uvicorn.Server):
    """A server whose signals are ours: uvicorn would raise them again, past whoever cleans up."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Leave signals alone."""
        return nullcontext()


async def _serve_until_stopped(
    server: _Server, bound: socket.socket, uploads: Uploads, ready: Callable[[], None]
) -> None:
    sweeping = asyncio.create_task(_sweep(uploads))
    telling = asyncio.create_task(_tell(server, ready))
    with _stop_on_signals(server):
        await server.serve(sockets=[bound])
    for task in (sweeping, telling):
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
