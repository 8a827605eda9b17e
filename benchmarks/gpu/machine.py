"""Wheels, versions, clocks, copy rates, and the tests that need a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from gpu.session import ROOT, Session, Tell

_IMPORTED_AS = {"scikit-learn": "sklearn"}
"""Packages whose modules have other names than themselves with underscores."""


def install(session: Session, tell: Tell) -> None:
    """Install the carried wheels beside the machine's packages, and name what is still missing."""
    wheels = sorted(map(str, session.wheels.glob("*.whl"))) if session.wheels else []
    tell("wheels", len(wheels))
    if wheels:
        options = ("--no-index", "--no-deps", "--no-compile", "--upgrade", "--quiet")
        target = ("--target", str(session.scratch / "site"))
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *target, *wheels], check=True)
    text = (ROOT / "pyproject.toml").read_text().partition("\ndependencies = [")[2].partition("\n]")[0]
    packages = re.findall(r'^\s*"([a-z0-9-]+)', text, re.MULTILINE)
    needed = [_IMPORTED_AS.get(name, name.replace("-", "_")) for name in packages]
    tell("missing", [name for name in needed if not _is_importable(name)])


def _is_importable(name: str) -> bool:
    """In a new process, which sees what has just been installed."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def describe(session: Session, tell: Tell) -> None:
    """Processor, GPU, versions, clocks under load, and rates of copies."""
    import torch
    from machine import machine

    tell("machine", machine())
    tell("cuda", torch.version.cuda)
    tell("cudnn", torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None)
    size = session.size(2**30, 2**22)
    here = torch.randint(255, (size,), dtype=torch.uint8)
    there = torch.empty(size, dtype=torch.uint8, device=session.device)
    pinned = here.pin_memory() if session.device == "cuda" else here.clone()
    copies: dict[str, Callable[[], object]] = {
        "to the device, pinned": lambda: there.copy_(pinned, non_blocking=True),
        "to the device, pageable": lambda: there.copy_(here),
        "from the device, pinned": lambda: pinned.copy_(there, non_blocking=True),
        "from the device, pageable": lambda: here.copy_(there),
    }
    for name, copy in copies.items():
        tell(f"GB/s {name}", round(size / seconds_of(copy, session.device, 3) / 1e9, 2))
    other = torch.empty_like(there)
    seconds = seconds_of(lambda: other.copy_(there), session.device, 10)
    tell("GB/s on the device, read and written", round(2 * size / seconds / 1e9, 2))
    side = session.size(8192, 256)
    matrix = torch.randn(side, side, device=session.device, dtype=torch.bfloat16)
    seconds = seconds_of(lambda: matrix @ matrix, session.device, 10)
    tell("TFLOP/s of a bfloat16 product", round(2 * side**3 / seconds / 1e12, 2))
    if session.device == "cuda":
        query = ("--query-gpu=name,driver_version,clocks.sm,clocks.mem,temperature.gpu", "--format=csv")
        found = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, check=False)
        tell("nvidia-smi", found.stdout.strip())


def seconds_of(work: Callable[[], object], device: str, repeat: int) -> float:
    """Median seconds of ``work``, with all that it queues on the device."""
    import torch

    times = []
    for _ in range(repeat + 2):
        started = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sorted(times[2:])[repeat // 2]


def run_tests(session: Session, tell: Tell) -> None:
    """Run the project's tests that need a GPU; libraries of others may be missing."""
    absent = [name for name in ("pytest", "hypothesis", "pytest_timeout") if find_spec(name) is None]
    if absent:
        tell("not run, for want of", absent)
        return
    if session.device == "cpu":
        tell("not run on", "cpu")
        return
    files = ("tests/training/loop/test_graphed.py", "tests/pipelines/test_pipeline.py")
    stand_ins = _without_a_browser(session.scratch)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "cuda or graph", *files]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(stand_ins), os.environ["PYTHONPATH"]])}
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    tell("exit status", run.returncode)
    tell("last lines", run.stdout.strip().splitlines()[-8:])


def _without_a_browser(scratch: Path) -> Path:
    """A folder with an empty ``playwright``, which tests/conftest.py imports for tests of pages."""
    folder = scratch / "stand-ins"
    (folder / "playwright").mkdir(parents=True, exist_ok=True)
    (folder / "playwright" / "__init__.py").touch()
    (folder / "playwright" / "sync_api.py").write_text("Browser = sync_playwright = None\n")
    return folder
