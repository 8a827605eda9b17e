"""Serve runs until a signal: open everything that is needed, and close it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from schemas.errors import UsageError
from training.http.listen import is_loopback, listen_on, url_of
from training.http.origin import OwnAddress
from training.http.protocol import Application
from training.http.server import run_until_stopped
from training.serve.limits import ServiceLimits
from training.serve.tokens import VARIABLE, Tokens

PORT = 8765

_CONNECTIONS = 1000
"""Most open connections; further ones are answered with status 503."""

_MESSAGE_BYTES = 2**20
"""Most bytes of a message of a stream: 5 s at 48 kHz as floats."""

Announce = Callable[[str], None]


@dataclass(frozen=True)
class ServeRequest:
    """The runs to serve, the address, and the limits for clients."""

    runs: tuple[Path, ...]
    device: str = "auto"
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the weights of encoders, by name."""
    host: str = "127.0.0.1"
    port: int | None = None
    """None: the first free port from :data:`PORT` on."""
    public_url: str | None = None
    token_file: Path | None = None
    open_to_all: bool = False
    """Whether other machines may send requests without a token."""
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    batch_ms: float = 5.0
    drain_s: float = 10.0
    """Seconds that requests in progress may take after a signal."""
    logs: bool = True


def serve(request: ServeRequest, announce: Announce, note: Announce) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP. Requests in progress are answered first.

    ``announce`` receives the address, ``note`` remarks for the operator.

    Raises :class:`UsageError` if other machines could send requests without a token, and :class:`SerError` if
    a run does not exist, or if device or port is not available.
    """
    tokens = Tokens.find(request.token_file)
    _require_safe(request, tokens)
    with (
        closing(listen_on(request.host, request.port, PORT)) as bound,
        open_service(request, tokens) as opened,
    ):

        def ready() -> None:
            url = request.public_url or url_of(bound)
            for sentence in _notes(request, tokens, bound.getsockname()[1]):
                note(sentence)
            announce(f"{url} serves {opened.title}; press Ctrl-C to stop")

        run_until_stopped(uvicorn_config(opened.door, request), bound, ready)


@dataclass(frozen=True)
class OpenService:
    """A service that can be run by a server."""

    door: Application
    title: str


@contextmanager
def open_service(request: ServeRequest, tokens: Tokens) -> Iterator[OpenService]:
    """Open runs and start the threads; they end with the context. Raises :class:`SerError`."""
    # These take seconds to import.
    from training.serve.account import Metrics, log
    from training.serve.app import Workers, new_app
    from training.serve.documents import Documents
    from training.serve.door import Door
    from training.serve.model import ServedModel
    from training.serve.rates import Rates

    limits, metrics = request.limits, Metrics()
    model = ServedModel.open(
        request.runs,
        limits,
        request.batch_ms / 1e3,
        metrics.batches.observe,
        request.device,
        request.encoders,
    )
    workers = Workers.start(limits)
    try:
        documents = Documents(request.runs, model.ensemble, limits)
        door = Door(
            new_app(model, documents, metrics, workers),
            tokens,
            None if limits.rate is None else Rates(limits.rate),
            OwnAddress.of(request.host, request.public_url),
            metrics,
            log if request.logs else _ignore,
        )
        yield OpenService(door, documents.title)
    finally:
        workers.close()
        model.close()


def uvicorn_config(door: Application, request: ServeRequest) -> uvicorn.Config:
    """Settings of the server, most of which limit what clients may do."""
    return uvicorn.Config(
        door,
        log_level="critical",  # the door logs requests and failures
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        http="h11",  # which limits the size of headers
        ws="websockets-sansio",
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a small message could expand to a large one
        # The answer to a ping waits behind sound that is not read while the model is busy, so a missing one
        # does not show that a client is gone. Streams have a limit for pauses instead.
        ws_ping_interval=None,
        ws_ping_timeout=None,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(request.drain_s),
    )


def _require_safe(request: ServeRequest, tokens: Tokens) -> None:
    if request.open_to_all and tokens.values:
        raise UsageError("--no-token and a token contradict each other; leave one of them out")
    if is_loopback(request.host) or tokens.values or request.open_to_all:
        return
    raise UsageError(
        f"--host {request.host} is open to other machines, and there is no token; give --token-file FILE or "
        f"${VARIABLE}, or --no-token to accept requests of everyone"
    )


def _notes(request: ServeRequest, tokens: Tokens, port: int) -> list[str]:
    from training.predict.worth import Worth, worth_notes
    from training.runs.hashes import notes_on_hashes

    notes = []
    if request.port is None and port != PORT:
        notes.append(f"port {PORT} is in use; serving on port {port}")
    if not is_loopback(request.host):
        who = "whoever knows a token" if tokens.values else "everyone"
        notes.append(
            f"{request.host} is open to other machines: {who} can send recordings, without encryption; "
            "a reverse proxy can add it"
        )
    notes += notes_on_hashes(request.runs)
    notes += worth_notes(list(request.runs), [Worth.of(run) for run in request.runs])
    return notes


def _ignore(_: object) -> None:
    """Write no log."""
