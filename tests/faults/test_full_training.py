"""A disk that becomes full while models are trained: one sentence, and training can be resumed."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.blank_pictures import draw_blank
from training.verify import verify_run

NETWORK = ("--recipe", "four-corpora-c", "--datasets", "all", "--views", "0", "--epochs", "2")
CHANGES = ("--set", "model.name=functionals-mlp", "--set", "input.representation=functionals")
LINEAR = ("--model", "functionals", "--datasets", "all", "--views", "0", "--protocol", "kfold:2")

PAGE = 4096
PLAN = ("run.json", "series.json", "split.json", "audit.json", "normalisation", "hashes.json")


@pytest.fixture(autouse=True)
def no_thread_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback of another thread would be printed past the command's own sentence."""

    def fail(arguments: Any) -> None:
        pytest.fail(f"a thread failed: {arguments.exc_value}")

    monkeypatch.setattr(threading, "excepthook", fail)


@pytest.fixture(autouse=True)
def blank_pictures() -> Iterator[None]:
    with draw_blank():
        yield


def leave_free(disk: Path, free: int) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)


def size_on_disk(paths: Iterable[Path]) -> int:
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in paths if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "series"])
def test_a_full_disk_is_one_sentence_and_training_resumes(
    kind: str, demo_store: Path, small_disk: Path, tmp_path: Path
) -> None:
    question = (*NETWORK, *CHANGES) if kind == "network" else LINEAR
    question = ("ser-train", "--store", demo_store, *question, "--device", "cpu", "--out")
    commands.run(*question, tmp_path / "whole")
    (whole,) = (tmp_path / "whole").iterdir()
    planned = size_on_disk(path for path in whole.iterdir() if path.name.startswith(PLAN))
    whole_size = size_on_disk(whole.rglob("*"))
    resumed = []
    for free in (planned // 2, planned + 4 * PAGE, whole_size * 9 // 10):
        runs = small_disk / f"runs-{free}"
        leave_free(small_disk, free)
        failed = commands.run(*question, runs, status=1)
        assert "the disk is full; free some space and" in " ".join(failed.stderr.split()), free
        assert " ".join(failed.stderr.split()).count("the disk is full") == 1
        assert not list(small_disk.rglob("*.partial")), free
        (small_disk / "ballast").unlink()
        for folder in runs.iterdir() if runs.exists() else ():
            assert verify_run(folder).ok, free
            commands.run("ser-train", "--resume", folder, "--store", demo_store)
            result = "metrics.json" if kind == "network" else "predictions.csv"
            assert (folder / result).read_bytes() == (whole / result).read_bytes()
            assert verify_run(folder).ok
            resumed.append(free)
        shutil.rmtree(runs, ignore_errors=True)
    assert len(resumed) == 2
