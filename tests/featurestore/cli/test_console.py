"""What reaches a terminal: no control character of a name, whatever it is printed as, and any encoding."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import TextIO, cast

import pytest
import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from featurestore.cli import console
from featurestore.cli.console import EdgeConsole, after_result, print_json
from featurestore.cli.streams import safe_streams
from schemas.errors import OutputError, RunError

FULL = OSError(28, "No space left on device")
HOSTILE = "a\x1b[2J\x9b\x7f\u202e\u2066\u2028b"
SHOWN = r"a\x1b[2J\x9b\x7f\u202e\u2066\u2028b"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    "renderable",
    [
        HOSTILE,
        Text(HOSTILE),
        Text.assemble(("error: ", "bold red"), HOSTILE),
        Group("[bold]x[/]", HOSTILE),
    ],
)
def test_names_are_escaped_in_whatever_is_printed(renderable: object, terminal: bool) -> None:
    stream = io.StringIO()
    edge = EdgeConsole(file=stream, force_terminal=terminal, width=200, soft_wrap=True, highlight=False)
    edge.print(renderable)
    printed = stream.getvalue()
    assert SHOWN in printed
    assert not set("\x9b\x7f\u202e\u2066\u2028") & set(printed)
    assert "\x1b[2J" not in printed


def test_a_table_measures_what_it_prints() -> None:
    stream = io.StringIO()
    table = Table("name", "next", box=None, pad_edge=False)
    table.add_row(HOSTILE, "x")
    table.add_row("b" * len(SHOWN), "y")
    EdgeConsole(file=stream, width=200).print(table)
    _, first, second = stream.getvalue().splitlines()
    assert first.index(" x") == second.index(" y")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_what_an_encoding_lacks_is_replaced(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    with safe_streams():
        console.out.print("2 × 3 – … Zoë 北 \udce9")
        print_json({"name": "2 × 3 Zoë 北 \udce9\x7f"})
    first, rest = raw.getvalue().decode(encoding).split("\n", 1)
    assert json.loads(rest) == {"name": "2 × 3 Zoë 北 \udce9\x7f"}
    assert first.endswith(r"\xe9")
    if encoding == "ascii":
        assert first == r"2 x 3 - ... Zo\xeb \u5317 \xe9"
    else:
        assert first.startswith(f"2 {'×' if encoding != 'koi8-r' else 'x'} 3 ")


class _Full(io.StringIO):
    """A stream on a full disk, or without a reader."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


@pytest.fixture(autouse=True)
def nothing_left_to_print() -> Iterator[None]:
    """Drop what a console could not write: the process of a command ends there, that of the tests goes on."""
    yield
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        console.out.print(end="")
        console.err.print(end="")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")]
)
def test_printing_a_finished_result_cannot_fail_it(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", _Full(error))
    with safe_streams(), after_result():
        console.out.print("result")
    said = capsys.readouterr().err
    assert said == "" if isinstance(error, BrokenPipeError) else "no space left on device" in said


def test_any_error_after_a_result_is_a_warning_but_a_status_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with after_result():
        raise RunError("a picture failed\x1b[2J")
    assert r"a picture failed\x1b[2J" in capsys.readouterr().err
    with after_result():
        raise ZeroDivisionError
    assert "the work is done and kept" in capsys.readouterr().err
    with pytest.raises(typer.Exit), after_result():
        raise typer.Exit(1)


def test_a_full_disk_behind_standard_error_costs_only_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", cast("TextIO", _Full(FULL)))
    with safe_streams():
        console.err.print("progress")
        print("progress", file=sys.stderr)


def test_a_full_disk_behind_standard_output_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", cast("TextIO", _Full(FULL)))
    with safe_streams(), pytest.raises(OutputError, match="cannot write to standard output: no space left"):
        console.out.print("result")


def test_lines_of_matplotlib_stay_in_its_log() -> None:
    """Its caches are none of the user's business; a process of its own, as the lines come with the import."""
    code = "import featurestore.cli.console, matplotlib.font_manager"
    broken = {"MPLCONFIGDIR": "/proc/none", "HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **broken}, capture_output=True, text=True, check=True
    )
    assert said.stderr == ""
    assert not logging.getLogger("matplotlib").isEnabledFor(logging.WARNING)
