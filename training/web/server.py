"""The web server of the page: its settings, and an environment in which Gradio contacts nobody."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from featurestore.places.durable import cause_of
from schemas.errors import StorageError
from schemas.telemetry import OPT_OUTS
from training.http.protocol import Application
from training.http.server import run_until_stopped
from training.web.uploads import Uploads

PORT = 7860
_LAST_S = 2
"""Seconds that running requests may take after the server is stopped."""

_SWEEP_S = 10.0

MOST_IN_MESSAGE = 2**20
"""Most bytes of a message of a WebSocket."""


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
    run_until_stopped(config, bound, ready, *([] if uploads is None else [_sweep(uploads)]))


async def _sweep(uploads: Uploads) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        uploads.sweep()
