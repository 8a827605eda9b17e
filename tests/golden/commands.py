"""The installed commands, run in this process: importing torch for each of them would take minutes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from tests.blank_pictures import draw_blank


@dataclass(frozen=True)
class Answer:
    """What a command printed, parsed if it is JSON, with its exit status."""

    status: int | str
    """Exit status; of a command that crashed, with what."""
    printed: Any
    errors: str


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Run commands in ``folder``, with a cache of their own.

    One thread, so that sums keep their order. Pictures stay blank: drawing them takes most of the time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    environment = {"SER_CACHE": str(folder / "cache"), "COLUMNS": "200", "NO_COLOR": "1"}
    try:
        with (
            chdir(folder),
            patch.dict("os.environ", environment),
            draw_blank(),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def ask(line: str) -> Answer:
    """Run the command ``line`` with ``--json`` and return its answer."""
    program, *words = line.split()
    printed, errors = io.StringIO(), io.StringIO()
    status: int | str = 0
    argv = [program, *words, "--json"]
    with patch.object(sys, "argv", argv), redirect_stdout(printed), redirect_stderr(errors):
        try:
            _entry_point(program).load()()
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
        except Exception as crash:  # noqa: BLE001 # told beside the answers of the other commands
            status = f"crashed: {type(crash).__name__}: {crash}"
    return Answer(status, _parse(printed.getvalue()), errors.getvalue())


@cache
def _entry_point(program: str) -> EntryPoint:
    """The entry point, wherever its module lies today; reinstall the project if it has moved."""
    (found,) = entry_points(group="console_scripts", name=program)
    return found


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
