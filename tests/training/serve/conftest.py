"""A run of the tiny recipe, and services that answer on loopback in a thread of this process."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from schemas.overrides import override
from tests import commands
from tests.once import Once
from tests.training.rated import TINY
from training.http.listen import listen_on, url_of
from training.runs.request import Hardware, TrainRequest
from training.serve.limits import ServiceLimits
from training.serve.service import ServeRequest, open_service, uvicorn_config
from training.serve.tokens import Tokens
from training.train import train

CHANGES = ("train.views=[0]", "train.epochs=3", "split.test=0.3")


@dataclass(frozen=True)
class Asked:
    """A service under way."""

    url: str

    def client(self, **options: Any) -> httpx.Client:
        # Without verify=False, every client reads all certificates, for servers that have none.
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=False, **options)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


Serve = Callable[..., Asked]


@pytest.fixture(scope="package")
def run(small_store: Path, once: Once) -> Path:
    """A finished run of a network. Shared: do not change it."""

    def fill(out: Path) -> None:
        recipe = override(TINY, CHANGES)
        train(TrainRequest(store=small_store, recipe=recipe, output=out, hardware=Hardware("cpu")))

    (found,) = once("serve-runs", fill).iterdir()
    return found


@contextmanager
def serving(runs: tuple[Path, ...], tokens: Tokens, **options: Any) -> Iterator[Asked]:
    """A service that answers until the end of the context."""
    request = ServeRequest(runs, device="cpu", logs=False, **options)
    with listen_on("127.0.0.1", 0, 0) as bound, open_service(request, tokens) as opened:
        server = uvicorn.Server(uvicorn_config(opened.door, request))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Asked(url_of(bound))
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="package")
def served(run: Path) -> Iterator[Asked]:
    """A service without tokens, whose requests wait up to 50 ms for others."""
    limits = ServiceLimits(max_mb=1, max_seconds=20, max_files=4, max_stream_seconds=30)
    with serving((run,), Tokens(), limits=limits, batch_ms=50) as asked:
        yield asked


@pytest.fixture
def serve(run: Path) -> Iterator[Serve]:
    """Function from limits and other options to a service of the test's own."""
    with ExitStack() as stack:

        def start(tokens: Tokens = Tokens(), **options: Any) -> Asked:  # noqa: B008 it is frozen
            return stack.enter_context(serving((run,), tokens, **options))

        yield start


@pytest.fixture(scope="package")
def clips(small_demo: Path) -> list[Path]:
    return sorted((small_demo / "demo").rglob("*.wav"))


def predicted(run: Path, *options: object, status: int = 0) -> dict[str, Any]:
    """What ``ser-predict --json`` prints."""
    done = commands.run("ser-predict", str(run), *map(str, options), "--json", status=status)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def same_rows(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Require the same rows; probabilities within 1e-6, as batches change the order of sums."""
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        assert one | {"probabilities": None} == two | {"probabilities": None}
        if two["probabilities"] is None:
            assert one["probabilities"] is None
        else:
            assert one["probabilities"] == pytest.approx(two["probabilities"], abs=1e-6)


def raw(port: int, sent: bytes) -> bytes:
    """The answer to bytes: head and body. Raises ConnectionError if the server closes before its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        answer = b""
        while not (head := re.search(rb"content-length: (\d+).*?\r\n\r\n", answer, re.DOTALL)):
            answer += _receive(connection)
        while len(answer) < head.end() + int(head[1]):
            answer += _receive(connection)
        return answer


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(65_536)
    if not received:
        raise ConnectionError("the server closed the connection before the end of its answer")
    return received
