"""A process that does not get the memory it asks for ends with one sentence."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from featurestore.cli.shortage import explain_shortage

SHORTAGES = {
    "Python": MemoryError(),
    "the dynamic linker": ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    "PyTorch": RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    "a thread": RuntimeError("can't start new thread"),
    "fork": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "a library": OSError("libcuda.so: Cannot allocate memory"),
}  # fmt: skip


def limit(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, resource.RLIM_INFINITY))


@pytest.mark.parametrize("source", SHORTAGES)
def test_a_shortage_is_one_sentence(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, resource.RLIM_INFINITY)
    found = explain_shortage(SHORTAGES[source])
    assert str(found) == "there is not enough free memory; free some and run the same command again"


def test_a_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 2 * 10**9)
    assert "may use 2 GB of address space (ulimit -v)" in str(explain_shortage(MemoryError()))


def test_a_cause_behind_another_error_counts() -> None:
    error = ValueError("broken pool")
    error.__cause__ = SHORTAGES["a thread"]
    assert explain_shortage(error) is not None


@pytest.mark.parametrize(
    "error",
    [
        ImportError("No module named 'zarr'"),
        RuntimeError("a bug"),
        OSError(errno.ENOENT, "gone"),
        ValueError(),
    ],
)
def test_another_error_keeps_its_traceback(error: Exception) -> None:
    assert explain_shortage(error) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce ulimit -v")
@pytest.mark.parametrize("gigabytes", [0.5, 1.0])
def test_a_command_in_a_small_address_space(gigabytes: float, small_demo: Path, tmp_path: Path) -> None:
    allowed = round(gigabytes * 1e9)
    done = subprocess.run(
        ["ser-features", "build", "--datasets", "demo", "--corpora", str(small_demo), "--out", "s.zarr"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed)),
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: this process may use {gigabytes:.3g} GB of address space (ulimit -v), which is too little; "
        "raise the limit and run the same command again\n"
    )
