"""Builds that are killed, interrupted or refused by the disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from featurestore.format.layout import MANIFEST, STORE_JSON
from featurestore.places.names import LOCK
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import StorageError, StoreBusyError
from tests.tiny_store import Builder

INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""A test run in the background has inherited that Ctrl-C is ignored."""

PROGRAM = f"{INTERRUPTIBLE}; from training.cli.features import main; main()"
COMMAND = [sys.executable, "-c", PROGRAM, "build", "--datasets", "demo"]


def _start(out: Path, corpora: Path, recipe: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--out", str(out), "--corpora", str(corpora), "--recipe", recipe],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Return as soon as ``condition`` holds; fail the test if the build ends before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.0005)


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "first shard": lambda out: (
        any((out / "demo" / "mel" / "c").rglob("0")) if (out / "demo").exists() else False
    ),
    "second record": lambda out: (out / "records" / "demo" / "00001.json").exists(),
    "finalising": lambda out: (out / MANIFEST).exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_build_resumes_to_the_same_digest(
    moment: str, whole_demo: Path, tiny_recipe: str, tiny_build: Builder, tiny_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed.zarr"
    process = _start(out, whole_demo, tiny_recipe)
    _wait_for(partial(MOMENTS[moment], out), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / STORE_JSON).exists()
    report = tiny_build(out, whole_demo)
    assert report.document.digest == FeatureStore.open(tiny_store).digest
    assert report.units_kept + report.units_built == 3
    assert report.units_kept >= {"first shard": 0, "second record": 2, "finalising": 3}[moment]
    assert verify(out, full=True).ok
    assert not list(out.rglob("*.partial*"))


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_keeps_finished_units(
    whole_demo: Path, tiny_recipe: str, tiny_build: Builder, tmp_path: Path
) -> None:
    out = tmp_path / "stopped.zarr"
    process = _start(out, whole_demo, tiny_recipe)
    _wait_for((out / "records" / "demo" / "00000.json").exists, process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in error
    assert "Traceback" not in error
    assert tiny_build(out, whole_demo).units_kept >= 1


def test_a_second_builder_is_turned_away(own_store: Path, whole_demo: Path, tiny_build: Builder) -> None:
    with FileLock(own_store / LOCK), pytest.raises(StoreBusyError, match="another process"):
        tiny_build(own_store, whole_demo)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB of its own; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_sentence_and_the_build_goes_on_elsewhere(
    small_disk: Path, whole_demo: Path, tiny_build: Builder, tiny_store: Path
) -> None:
    out = small_disk / "s.zarr"
    with pytest.raises(StorageError, match="the disk is full"):
        tiny_build(out, whole_demo)
    assert not (out / STORE_JSON).exists()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert tiny_build(out, whole_demo).document.digest == FeatureStore.open(tiny_store).digest
    assert verify(out, full=True).ok


def test_a_read_only_disk_is_one_sentence(small_disk: Path, small_demo: Path, tiny_build: Builder) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StorageError, match="read-only"):
        tiny_build(small_disk / "s.zarr", small_demo)
