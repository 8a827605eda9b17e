"""Run uvicorn until a signal: requests in progress are answered, and the caller cleans up afterwards."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

import uvicorn


def run_until_stopped(
    config: uvicorn.Config,
    bound: socket.socket,
    ready: Callable[[], None],
    *alongside: Coroutine[None, None, None],
) -> None:
    """Serve on a socket until Ctrl-C, SIGTERM or SIGHUP; a second signal ends it at once.

    ``ready`` is called when the server accepts requests. ``alongside`` run as long as the server.
    """
    asyncio.run(_serve(_Server(config), bound, ready, alongside))


class _Server(uvicorn.Server):
    """A server that leaves signals to this module: uvicorn would raise them again and skip the cleanup."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Do not handle signals."""
        return nullcontext()


async def _serve(
    server: _Server,
    bound: socket.socket,
    ready: Callable[[], None],
    alongside: tuple[Coroutine[None, None, None], ...],
) -> None:
    tasks = [asyncio.create_task(each) for each in (*alongside, _announce(server, ready))]
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


async def _announce(server: _Server, ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    ready()
