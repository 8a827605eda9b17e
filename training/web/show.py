"""Show a run as a web page: open everything it needs, and close it again."""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import RunError
from training.http.form import Upload
from training.http.listen import is_loopback, listen_on, url_of
from training.http.origin import OwnAddress
from training.web.limits import Limits
from training.web.server import PORT, isolate_gradio, serve
from training.web.uploads import Uploads

if TYPE_CHECKING:
    import socket

    from training.predict.predictor import Predictor
    from training.predict.windows import Waveform
    from training.web.facts import Facts

Announce = Callable[[str], None]


@dataclass(frozen=True)
class DemoRequest:
    """The run to show, the address to serve it at, and the limits for visitors."""

    run: Path
    device: str = "auto"
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the weights of encoders, by name."""
    host: str = "127.0.0.1"
    port: int | None = None
    """None: the first free port from 7860 on."""
    public_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    opens_browser: bool = False
    live: bool = False
    """Listen to the microphone of the page, instead of answering recordings."""


def show(request: DemoRequest, announce: Announce, note: Announce) -> None:
    """Show a run until Ctrl-C or SIGTERM.

    ``announce`` receives the address, ``note`` remarks for the operator.

    Raises :class:`SerError` if the run or its result does not exist, or if device or port is not available.
    """
    with (
        _end_on_signals(),
        nullcontext() if request.live else isolate_gradio(),
        closing(listen_on(request.host, request.port, PORT)) as bound,
    ):
        # These take seconds to import, and Gradio reads its environment on import.
        from training.predict.predictor import Predictor
        from training.web.facts import Facts

        predictor = Predictor.open(request.run, request.device, request.encoders)
        if predictor.dimensions:
            raise RunError(
                f"{request.run} predicts values (labels.target regression), but the page shows emotions; "
                f"use ser-predict"
            )
        facts = Facts.of(request.run, predictor)

        def ready() -> None:
            url = request.public_url or url_of(bound)
            for sentence in _notes(request, facts, bound.getsockname()[1]):
                note(sentence)
            what = "listens with" if request.live else "shows"
            announce(f"{url} {what} model {facts.model}, {facts.worth}: {facts.ua}; press Ctrl-C to stop")
            if request.opens_browser:
                webbrowser.open(url)

        (_serve_live if request.live else _serve_page)(request, predictor, facts, bound, ready)


def _serve_page(
    request: DemoRequest, predictor: Predictor, facts: Facts, bound: socket.socket, ready: Callable[[], None]
) -> None:
    from training.web.gate import Gate
    from training.web.page import page
    from training.web.sessions import Sessions

    limits = request.limits
    uploads, sessions = Uploads(limits.room_bytes), Sessions()
    _warm(predictor, facts, limits)
    gate = Gate(
        page(predictor, facts, limits, uploads, sessions, request.public_url),
        uploads,
        sessions,
        limits.upload_bytes,
        OwnAddress.of(request.host, request.public_url),
    )
    serve(gate, bound, ready, uploads)


def _serve_live(
    request: DemoRequest, predictor: Predictor, facts: Facts, bound: socket.socket, ready: Callable[[], None]
) -> None:
    from training.predict.ensemble import Ensemble
    from training.web.live.application import LiveApplication
    from training.web.live.page import live_files

    model = Ensemble.of(request.run, predictor)
    list(model.listen([_noise(predictor)], predictor.spec.audio.sample_rate))  # one-time setup
    files = live_files(model, facts, request.limits)
    own = OwnAddress.of(request.host, request.public_url)
    with closing(LiveApplication(model, files, request.limits, own)) as application:
        serve(application, bound, ready)


def _notes(request: DemoRequest, facts: Facts, port: int) -> list[str]:
    from training.runs.hashes import notes_on_hashes

    notes = []
    if request.port is None and port != PORT:
        notes.append(f"port {PORT} is in use; serving on port {port}")
    if not is_loopback(request.host):
        notes.append(
            f"{request.host} is open to other machines: anyone who can reach this one can send recordings, "
            "without a password and without encryption; a reverse proxy can add both"
        )
        if request.live and not (request.public_url or "").startswith("https://"):
            notes.append(
                "browsers offer a microphone only over https or on the same machine; give the address of a "
                "proxy as --public-url https://..."
            )
    notes += notes_on_hashes([request.run])
    if facts.warning:
        notes.append(f"{facts.worth}: {facts.warning}")
    return notes


def _warm(predictor: Predictor, facts: Facts, limits: Limits) -> None:
    """Answer noise once, so that the first visitor does not wait for one-time setup."""
    from training.web.answer import answer
    from training.web.fragments import answer_html
    from training.web.hearing import Sound

    noise = Sound(_noise(predictor), predictor.spec.audio.sample_rate, 1.0)
    answer_html(answer(predictor, Upload("noise", noise.wav()), limits, explains=True), facts)


def _noise(predictor: Predictor) -> Waveform:
    """A second of noise at the model's rate."""
    import numpy as np

    rate = predictor.spec.audio.sample_rate
    return np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)


@contextmanager
def _end_on_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the context like Ctrl-C: cleanly, with folders removed."""
    before = {
        kind: signal.signal(kind, signal.default_int_handler) for kind in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
