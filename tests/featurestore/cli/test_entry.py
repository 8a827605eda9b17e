"""How every command starts and ends, whatever its streams, Python's options or a Ctrl-C do."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.commands import process_command
from tests.conftest import REPOSITORY

PROGRAMS = ("ser-features", "ser-train", "ser-evaluate", "ser-predict", "ser-export", "ser-demo", "ser-serve")


def in_shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of ``sh`` with the installed commands on the path."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["/bin/sh", "-c", line], cwd=cwd, env={"PATH": path}, capture_output=True, text=True, check=False
    )


APP = """
import sys
from schemas.errors import RunError

def app():
    if sys.argv[1:] == ["fail"]:
        raise RunError("no such run")
    print("done")
"""
"""A command line that starts in no time."""

LIGHT = f"{sys.executable} -c 'from featurestore.cli.entry import start; start(\"light\")'"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("light >&-", 1, "cannot write to standard output: it is closed"),
        ("light <&- >&-", 1, "cannot write to standard output: it is closed"),
        ("light >/dev/full", 1, "cannot write to standard output: no space left on device"),
        ("light fail 2>&-", 1, ""),
        ("light fail 2>/dev/full", 1, ""),
        ("light fail <&- >&- 2>&-", 1, ""),
        ("ser-features --help >/dev/full", 1, "cannot write to standard output"),
        ("ser-features info '' <&- >&-", 2, "a path is empty"),
        ("PYTHONOPTIMIZE=1 ser-features --version", 2, "run the command without it"),
        ("PYTHONOPTIMIZE=2 ser-train --help", 2, "run the command without it"),
    ],
)
def test_a_stream_costs_one_sentence_at_most(line: str, status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "light.py").write_text(APP)
    done = in_shell(line.replace("light", LIGHT, 1), tmp_path)
    assert done.returncode == status
    assert done.stdout == ""
    if said:
        assert done.stderr.startswith("error: ")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    else:
        assert done.stderr == ""


@pytest.mark.parametrize("program", [LIGHT, "ser-features --version"])
def test_a_reader_that_has_gone_is_no_error(program: str, tmp_path: Path) -> None:
    (tmp_path / "light.py").write_text(APP)
    assert in_shell(f"({program}; echo $? >&2) | true", tmp_path).stderr == "1\n"


def test_a_missing_stream_is_not_the_next_file_that_is_opened(tmp_path: Path) -> None:
    """Otherwise what a library prints would be written into a file of a store."""
    code = (
        "from featurestore.cli.streams import safe_streams\n"
        "with safe_streams():\n"
        "    print(open('file', 'w').fileno(), file=open('number', 'w'))\n"
    )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code], cwd=tmp_path, check=True
        )
        assert int((tmp_path / "number").read_text()) > 2


def test_ctrl_c_while_a_command_is_imported_ends_it_with_one_sentence(tmp_path: Path) -> None:
    """The signal comes from a module that the command imports: as early as it can be handled."""
    (tmp_path / "typer.py").write_text(
        "import os, signal\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException:\n"
        "    pass  # as libraries swallow what is raised while they are imported\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from training.cli.train import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "stopped; run the same command again\n"


def test_a_command_that_ignores_ctrl_c_continues_to_ignore_it(tmp_path: Path) -> None:
    command = process_command("ser-features", "--version")
    line = f"trap '' INT; {' '.join(command)} & kill -INT $!; wait $!"
    assert in_shell(line, tmp_path).returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_entry_point_imports_nothing_heavy(program: str) -> None:
    (found,) = entry_points(group="console_scripts", name=program)
    module = found.value.partition(":")[0]
    code = (
        "import sys; sys.path.insert(0, '.'); before = set(sys.modules); "
        f"import {module}; print(*(set(sys.modules) - before))"
    )
    command = [sys.executable, "-IS", "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    heavy = {"typer", "rich", "pydantic", "numpy", "torch", "importlib.metadata", "asyncio"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_the_signal_handler_is_given_back(handler: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from featurestore.cli.entry import start

    before = signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "argv", ["ser-features", "--version"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    try:
        with pytest.raises(SystemExit):
            start("training.cli.commands.features")
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_deleted_working_directory_is_one_sentence(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    monkeypatch.setattr(sys, "argv", [program, "x"])
    (entry,) = entry_points(group="console_scripts", name=program)
    with pytest.raises(SystemExit) as end:
        entry.load()()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the working directory does not exist any more; change to another folder")
    assert said.count("\n") == 1
