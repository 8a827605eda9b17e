"""What every command does before and beside its work."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from featurestore.cli import console
from tests import commands


@pytest.fixture
def deleted_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which no longer exists."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    return folder


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("ser-features", ("build", "--out", "x.zarr")),
        ("ser-features", ("info", "x.zarr")),
        ("ser-features", ("listen", "x.zarr", "a")),
        ("ser-train", ("--store", "x.zarr")),
        ("ser-evaluate", ("run",)),
        ("ser-predict", ("run", "a.wav")),
        ("ser-export", ("run", "a.onnx")),
        ("ser-demo", ("run",)),
    ],
)
def test_a_deleted_working_directory_is_one_sentence(
    deleted_folder: Path, program: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not deleted_folder.exists()
    with mock.patch.object(sys, "argv", [program, *arguments]):
        assert commands._exit_status(program) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the working directory does not exist any more; change to another")
    assert said.count("\n") == 1


def test_lines_of_matplotlib_stay_in_its_log() -> None:
    """Its caches are none of the user's business; a process of its own, as the lines come with the import."""
    code = "import featurestore.cli.console, matplotlib.font_manager"
    broken = {"MPLCONFIGDIR": "/proc/none", "HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **broken}, capture_output=True, text=True, check=True
    )
    assert said.stderr == ""
    assert not logging.getLogger("matplotlib").isEnabledFor(logging.WARNING)
    assert console.err.stderr
