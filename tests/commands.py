"""The installed commands as tests call them: in this process, or as a process of their own.

A process that imports torch costs seconds, so a test calls :func:`run` unless it is about the process itself:
signals, memory, imports, pipes.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Completed:
    """What a command printed on both streams, and its exit status."""

    stdout: str
    stderr: str
    returncode: int


def run(
    program: str,
    *arguments: str | Path,
    status: int | None = 0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run a command's installed entry point in this process, as if its output were pipes 80 columns wide.

    ``env`` is added to the environment; ``status`` None allows any exit status.
    """
    before = Path.cwd()
    out, err = _stream(), _stream()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "80", **(env or {})}),
        mock.patch.object(sys, "argv", [program, *map(str, arguments)]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            os.chdir(cwd or before)
            code = _exit_status(program)
        finally:
            os.chdir(before)
    completed = Completed(_text(out), _text(err), code)
    assert "Traceback" not in completed.stderr, completed.stderr
    if status is not None:
        assert completed.returncode == status, completed.stderr
    return completed


def process_command(program: str, *arguments: str | Path) -> list[str]:
    """The words that start a command as a process of its own."""
    return [str(Path(sys.executable).parent / program), *map(str, arguments)]


@contextlib.contextmanager
def start(program: str, *arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command as a process of its own, text streams; it is ended at the end, whatever happens.

    It handles signals as if a shell had started it in the foreground: see ``tests/conftest.py``.
    """
    with subprocess.Popen(process_command(program, *arguments), text=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _exit_status(program: str) -> int:
    try:
        _main(program)()
    except SystemExit as end:
        if end.code is None:
            return 0
        if isinstance(end.code, int):
            return end.code
        sys.stderr.write(f"{end.code}\n")
        return 1
    return 0


@cache
def _main(program: str) -> Any:
    (found,) = entry_points(group="console_scripts", name=program)
    return found.load()


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")
