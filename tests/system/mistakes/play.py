"""A command of the page, run where the test runs: importing torch for each would take minutes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from typer.testing import CliRunner

_PROGRAMS = {
    "ser-features": "training.cli.commands.features",
    "ser-train": "training.cli.commands.train",
    "ser-evaluate": "training.cli.commands.evaluate",
    "ser-predict": "training.cli.commands.predict",
}


@dataclass(frozen=True)
class Played:
    """What a command printed, its exit status, and the error that it let through."""

    message: str
    status: int
    escaped: BaseException | None


def play(command: str) -> Played:
    """Run ``command`` in this process and folder; a terminal of 80 columns."""
    program, *words = shlex.split(command)
    app = import_module(_PROGRAMS[program]).app
    result = CliRunner().invoke(app, words, prog_name=program, env={"COLUMNS": "80", "NO_COLOR": "1"})
    lines = (line.rstrip() for line in result.output.strip("\n").split("\n"))
    escaped = None if isinstance(result.exception, SystemExit) else result.exception
    return Played("\n".join(lines), result.exit_code, escaped)


def files(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file under ``root``, folders too."""
    found = {}
    for path in root.rglob("*"):
        status = path.stat()
        found[str(path)] = (0, 0) if path.is_dir() else (status.st_size, status.st_mtime_ns)
    return found
