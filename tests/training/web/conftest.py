"""A run that was trained on the demo voices, and servers that show it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from schemas.overrides import override
from schemas.recipe import load_recipe
from tests.once import Once
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

COMMAND = "from training.cli.demo import main; main()"

STARTED_S = 240


@dataclass(frozen=True)
class Served:
    """A server under way."""

    url: str
    process: subprocess.Popen[str]
    temporary: Path
    """Its folder for temporary files."""
    told: list[str]
    """Lines of standard error so far."""
    teller: threading.Thread
    """Reads standard error to its end."""

    def rest(self) -> list[str]:
        """All lines of standard error, when the server has ended."""
        self.process.wait(60)
        self.teller.join(60)
        return self.told

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def trained(store: Path, out: Path, *changes: str) -> RunResult:
    own = (
        "datasets=null",
        "model.name=functionals-mlp",
        "input.representation=functionals",
        "train.views=[0]",
        "train.epochs=12",
        "split.test=0.3",
        *changes,
    )
    recipe = override(load_recipe("four-corpora-c"), own)
    return train(TrainRequest(store=store, recipe=recipe, output=out, hardware=Hardware("cpu")))


@pytest.fixture(scope="package")
def run(demo_store: Path, once: Once) -> Path:
    """A finished run. Shared: do not change it."""
    (found,) = once("web-runs", partial(trained, demo_store)).iterdir()
    return found


@pytest.fixture(scope="package")
def leaky_run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(demo_store, tmp_path_factory.mktemp("runs"), "split.protocol=random").folder.path


@pytest.fixture(autouse=True, scope="module")
def blank_pictures() -> None:
    """Pictures are drawn."""


Serve = Callable[..., Served]


WATCHED = """
import ctypes, gc, json, os, signal, sys
import training.web.page as pages
log = os.open(os.environ["TMPDIR"] + "/../watched-server", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
def watch(event, args):
    if event == "socket.connect" and not isinstance(args[1], (str, bytes)):
        os.write(log, f"connect {args[1][0]}\\n".encode())
    elif event == "socket.getaddrinfo":
        os.write(log, f"resolve {args[0]}\\n".encode())
    elif event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(log, f"write {args[0]}\\n".encode())
    elif event == "open":
        os.write(log, f"read {args[0]}\\n".encode())
make = pages.page
def page(*given):
    app = make(*given)
    with open(os.environ["TMPDIR"] + "/../routes.json", "w") as file:
        json.dump(sorted(table(app.routes, "")), file)
    return app
def table(routes, prefix):
    for route in routes:
        path = prefix + getattr(route, "path", "")
        router = getattr(route, "original_router", route)  # FastAPI keeps an included router whole
        inner = getattr(router, "routes", None)
        if inner is not None:
            yield from table(inner, path)
        yield path, sorted(getattr(route, "methods", None) or [])
def tidy(*_):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    os.write(log, b"tidied memory\\n")
signal.signal(signal.SIGUSR1, tidy)
pages.page = page
sys.addaudithook(watch)
"""
"""Comes before the command: writes down what is opened, which addresses are asked, and all routes.

At SIGUSR1 it frees what can be freed.
"""


@pytest.fixture(scope="package")
def served(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests that ask it by plain HTTP, with what it opens and whom it asks written down.

    Whatever they ask, it has nothing to report on its terminal, and leaves no file.
    """
    with _servers(tmp_path_factory) as start:
        command = WATCHED + COMMAND
        found = start(run, "--port", 0, "--max-mb", 2, "--max-seconds", 60, "--users", 3, command=command)
        yield found
    assert "".join(found.rest()) == ""
    assert [path for path in found.temporary.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Function from a run and options to a server that answers; all are stopped at the end."""
    with _servers(tmp_path_factory) as start:
        yield start


@contextmanager
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    started: list[subprocess.Popen[str]] = []

    def start(run: Path, *options: object, command: str = COMMAND) -> Served:
        temporary = tmp_path_factory.mktemp("temporary")
        process = subprocess.Popen(
            [sys.executable, "-c", command, str(run), "--device", "cpu", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        told: list[str] = []
        lines: queue.Queue[str] = queue.Queue()
        teller = threading.Thread(target=_each, args=(process.stderr, told.append), daemon=True)
        teller.start()
        threading.Thread(target=_each, args=(process.stdout, lines.put), daemon=True).start()
        try:
            first = lines.get(timeout=STARTED_S)
        except queue.Empty:
            pytest.fail(f"no server after {STARTED_S} s: {told}")
        return Served(first.split()[0], process, temporary, told, teller)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def _each(stream: Sequence[str], take: Callable[[str], object]) -> None:
    for line in stream:
        take(line)
    take("")


@pytest.fixture(scope="package")
def clips(small_demo: Path) -> list[Path]:
    return sorted((small_demo / "demo").rglob("*.wav"))
