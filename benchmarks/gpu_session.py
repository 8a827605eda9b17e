"""Everything that is worth knowing of a rented GPU, in one command of at most nine minutes without a network.

    benchmarks/gpu_wheels.sh .whl                                  # before, with a network
    python benchmarks/gpu_session.py --wheels .whl --out session.jsonl
    python benchmarks/gpu_session.py --miniature --device cpu      # the same steps without a GPU, in a minute

Each step is a process of its own with its own limit, and adds a line of JSON to the result at once. A step
that fails stops nothing; one that no longer fits is skipped. The exit status is always 0.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from gpu.steps import STEPS  # noqa: E402

MINUTES = 9.0
_STDERR_BYTES = 2048
_TO_END = 3.0
"""Seconds that ending a step and writing the summary may take."""

Status = Literal["ok", "failed", "ended at its limit", "skipped"]


@dataclass(frozen=True)
class StepResult:
    """What a step gave: its figures so far, also if it failed."""

    step: str
    status: Status
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    stderr: str = ""


def run_process(
    command: list[str], name: str, limit: float, figures: Path, env: dict[str, str]
) -> StepResult:
    """Run a step, and end it and all of its processes after ``limit`` seconds."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=errors, stderr=errors, stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
        status: Status = "ok"
        try:
            if process.wait(limit):
                status = "failed"
        except subprocess.TimeoutExpired:
            status = "ended at its limit"
        finally:
            with suppress(ProcessLookupError):  # also what the step has left behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - _STDERR_BYTES))
        tail = errors.read().decode(errors="replace")
    return StepResult(name, status, round(time.monotonic() - started, 2), read_figures(figures), tail)


def read_figures(file: Path) -> dict[str, Any]:
    """All figures that a step has written; the last line may be cut."""
    found: dict[str, Any] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        with suppress(json.JSONDecodeError):
            found |= json.loads(line)
    return found


def append(out: Path, result: StepResult) -> None:
    """Add a line to the result, and wait until it is on the disk."""
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def environment(scratch: Path) -> dict[str, str]:
    """For the steps: this repository, its benchmarks, and the installed wheels are importable."""
    paths = (scratch / "site", ROOT, ROOT / "benchmarks")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")]),
        "SER_CACHE": str(scratch / "cache"),
    }


def run_all(options: argparse.Namespace, scratch: Path) -> list[StepResult]:
    """Run the chosen steps in order, as long as there is time."""
    wanted = options.only.split(",") if options.only else [step.name for step in STEPS]
    session = {
        "device": options.device,
        "scratch": str(scratch),
        "miniature": options.miniature,
        "recordings": options.recordings and str(options.recordings.resolve()),
        "wheels": options.wheels and str(options.wheels.resolve()),
    }
    until = time.monotonic() + 60 * options.minutes - _TO_END
    results = []
    for step in (step for step in STEPS if step.name in wanted):
        left = until - time.monotonic()
        figures = scratch / f"{step.work}.figures"
        command = [sys.executable, "-m", "gpu.run_step", step.name, json.dumps(session), str(figures)]
        result = (
            StepResult(step.name, "skipped")
            if left < step.expected
            else run_process(command, step.name, min(left, step.limit), figures, environment(scratch))
        )
        append(options.out, result)
        print(f"{result.status:18} {result.seconds:7.1f} s  {result.step}", flush=True)
        results.append(result)
    return results


def summarise(results: list[StepResult]) -> str:
    """All figures, and how many steps went how."""
    lines = []
    for result in results:
        lines.append(f"{result.step}: {result.status}")
        lines += [f"    {name}: {json.dumps(value)}" for name, value in result.figures.items()]
        if result.status == "failed":
            lines += [f"    | {line}" for line in result.stderr.strip().splitlines()[-3:]]
    counts = Counter(result.status for result in results)
    return "\n".join([*lines, ", ".join(f"{count} {status}" for status, count in counts.items())])


def main() -> None:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--miniature", action="store_true", help="so small that a CPU needs seconds per step")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--out", type=Path, default=Path("gpu-session.jsonl"))
    parser.add_argument("--wheels", type=Path, help="folder filled by gpu_wheels.sh")
    parser.add_argument("--recordings", type=Path, help="corpora root with real speech; default: demo voices")
    parser.add_argument("--scratch", type=Path, help="folder that keeps corpora and stores")
    parser.add_argument("--only", help="comma-separated names of steps")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the running step ends, too
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as temporary:
        scratch = (options.scratch or Path(temporary)).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        print(summarise(run_all(options, scratch)))


if __name__ == "__main__":
    main()
