"""Builds in child processes that die at a chosen moment.

The children are forked from a process that has imported everything and has no threads, so that a kill costs
no importing. What a child does to the disk is counted by Python's own audit events (``os.rename``,
``os.remove``, ``os.mkdir``, files opened for writing): our code is not touched.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

PRELOADED = [
    "featurestore.build",
    "featurestore.compute.execution",
    "featurestore.compute.finalise",
    "featurestore.compute.worker_pool",
    "featurestore.store",
    "pipelines.float32_products",
    "pipelines.pipeline",
    "pyarrow.parquet",
    "scipy.signal",
    "zarrs",
]
"""What a build imports, also what it imports late: each child would spend a second on it."""

_OPERATIONS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.link"})


class Child:
    """One child process: its moments of doing something to the disk come back when it ends by itself."""

    def __init__(self, process: Any, answers: Connection) -> None:
        self.process = process
        self._answers = answers

    @property
    def pid(self) -> int:
        """Process id."""
        return int(self.process.pid)

    def result(self, timeout: float = 120) -> Any:
        """What the function returned, or the exception that it raised; None where the child was killed."""
        try:
            if not self._answers.poll(timeout):
                raise AssertionError("the child neither answers nor dies")
            answer = self._answers.recv()
        except (EOFError, OSError):
            answer = None
        self.process.join(timeout)
        return answer


class Children:
    """Starts children. Use it in a ``with`` statement."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._started: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._started:
            child.process.kill()
            child.process.join()

    def start(
        self, function: Callable[..., Any], *arguments: Any, die_at: int | None = None, root: str = ""
    ) -> Child:
        """Call ``function`` in a child that dies just before its operation ``die_at`` below ``root``."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_run, args=(theirs, function, arguments, die_at, root), daemon=False
        )
        process.start()
        theirs.close()
        child = Child(process, ours)
        self._started.append(child)
        return child


def operations(
    function: Callable[..., Any], arguments: tuple[Any, ...], root: str
) -> list[tuple[float, str]]:
    """Call ``function`` to its end; returns when (s) it did what to the disk below ``root``."""
    noted: list[tuple[float, str]] = []
    begun = time.monotonic()
    _watch(root, lambda what: noted.append((time.monotonic() - begun, what)))
    function(*arguments)
    return noted


def _run(
    answers: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    die_at: int | None,
    root: str,
) -> None:
    if die_at is not None:
        counter = itertools.count()
        _watch(root, lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(counter) == die_at else None)
    try:
        answer: Any = function(*arguments)
    except Exception as error:  # noqa: BLE001 # the test judges it
        error.add_note("In the child:\n" + "".join(traceback.format_exception(error)))
        answer = error
    answers.send(answer)
    answers.close()


def _watch(root: str, seen: Callable[[str], object]) -> None:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OPERATIONS or (event == "open" and _writes(arguments)):
            path = os.fspath(arguments[0]) if isinstance(arguments[0], str | os.PathLike) else ""
            if path.startswith(root):
                seen(f"{event} {path[len(root) :]}")

    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
