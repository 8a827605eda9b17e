"""The session on a rented GPU: all its steps in miniature on this CPU, and its limits."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blank_pictures import draw_blank
from tests.pretended_cuda.pretend import pretend_cuda

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

Figures = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[None]:
    """Benchmarks can be imported, as they import each other."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def copy_voices(demo: Path, scratch: Path) -> None:
    """Give a session in miniature its voices, which it would synthesise."""
    for speaker in ("f01", "f02", "f03", "m01", "m02", "m03"):
        shutil.copytree(demo / "demo" / speaker, scratch / "voices" / "demo" / speaker)


@pytest.fixture(scope="module")
def figures(benchmarks: None, small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Of all steps in miniature, in this process: thirty starts of torch would take minutes."""
    scratch = tmp_path_factory.mktemp("session")
    copy_voices(small_demo, scratch)
    session = importlib.import_module("gpu.session").Session("cpu", scratch, miniature=True)
    with pytest.MonkeyPatch.context() as patch, draw_blank():
        patch.setenv("SER_CACHE", str(scratch / "cache"))
        patch.setattr("builtins.print", lambda *_, **__: None)
        found: Figures = {}
        for step in importlib.import_module("gpu.steps").STEPS:
            told = found.setdefault(step.name, {})
            step.load()(session, told.__setitem__)
    return found


@pytest.mark.slow
def test_every_step_tells_figures_that_json_can_hold(figures: Figures) -> None:
    assert all(figures.values())
    assert json.loads(json.dumps(figures)) == figures


@pytest.mark.slow
def test_on_a_cpu_nothing_differs_from_the_cpu(figures: Figures) -> None:
    differences = [value for name, value in figures["parity"].items() if "difference" in name]
    assert len(differences) == 7  # features
    assert all(value == 0 for views in differences for value in views.values())
    assert figures["graphs equal eager"]["largest difference, relative"] == 0
    assert figures["stop and resume"]["largest difference, relative"] == 0
    assert set(figures["homes with graphs"].values()) == {0}
    assert set(figures["other commands"].values()) == {0}
    assert figures["DALI"]["clips that differ"] == 0


@pytest.mark.slow
def test_what_is_built_is_counted_and_what_is_measured_is_positive(figures: Figures) -> None:
    for step in ("build with default features", "build with all features", "build on the CPU"):
        assert figures[step]["clips"] == 4
        assert figures[step]["bad"] == 0
    assert figures["verify"] == {"intact": True}
    speeds = [
        value
        for told in figures.values()
        for name, value in told.items()
        if name.startswith(("views/s", "clips/s", "samples/s", "GB/s", "TFLOP/s"))
    ]
    assert len(speeds) > 20
    assert min(speeds) > 0


@pytest.mark.slow
def test_a_capture_fails_as_planned_on_a_pretended_gpu(
    benchmarks: None, small_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy_voices(small_demo, tmp_path)
    session = importlib.import_module("gpu.session").Session("cuda", tmp_path, miniature=True)
    session.store()
    told: dict[str, str] = {}
    with pretend_cuda():
        importlib.import_module("gpu.results").failed_capture(session, told.__setitem__)
    assert told["message"].endswith("train with --no-cuda-graphs")
    assert "Tensor Cores" not in caplog.text, "advice of Lightning on a GPU"


def run_session(out: Path, *options: str) -> list[dict[str, Any]]:
    command = [sys.executable, str(BENCHMARKS / "gpu_session.py"), "--out", str(out), *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_steps_are_processes_and_one_that_does_not_fit_is_skipped(tmp_path: Path) -> None:
    session = ("--miniature", "--device", "cpu", "--scratch", str(tmp_path / "scratch"))
    (line,) = run_session(tmp_path / "one.jsonl", *session, "--only", "install")
    assert line["status"] == "ok"
    assert line["figures"] == {"wheels": 0, "missing": []}
    (line,) = run_session(tmp_path / "two.jsonl", *session, "--only", "parity", "--minutes", "0.1")
    assert line["status"] == "skipped"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sys.exit(3)", "failed"),
        ("os.kill(os.getpid(), 11)", "failed"),
        ("subprocess.Popen(['sleep', '60']); time.sleep(60)", "ended at its limit"),
    ],
)
def test_a_step_that_fails_or_hangs_keeps_its_figures_and_leaves_no_process(
    code: str, status: str, benchmarks: None, tmp_path: Path
) -> None:
    figures = tmp_path / "figures"
    program = (
        "import os, subprocess, sys, time\n"
        f"open({str(figures)!r}, 'w').write('{{\"speed\": 3}}\\n{{\"half a li')\n"
        f"print('x' * 3000, 'the last words', file=sys.stderr, flush=True)\n{code}\n"
    )
    run_process = importlib.import_module("gpu_session").run_process
    started = time.monotonic()
    found = run_process([sys.executable, "-c", program], "a step", 5, figures, dict(os.environ))
    assert time.monotonic() - started < 50
    assert (found.status, found.figures) == (status, {"speed": 3})
    assert found.stderr.endswith("the last words\n")
    assert len(found.stderr) <= 2048
