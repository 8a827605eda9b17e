"""Cost of having nothing to do: `build` on a complete store, opening a large store, filtering its manifest.

    python benchmarks/noop.py

Corpora of short noises are built with a tiny recipe. Then `ser-features build` is run again on each store,
and the store is opened, both in separate processes including the start of Python. Results are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import write_result

RATE = 8000
SAMPLES = 2000
"""A quarter of a second, so that a file takes one disk block."""

EMOTIONS = ("angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprised")
SPEAKERS = 100
SETTLED_S = 2.5
"""Age from which the hash of a new recording is kept for the next build."""

RECIPE = """
name = "tiny"
[audio]
sample_rate = 8000
duration_s = 0.25
[spectral]
n_fft = 256
hop_length = 128
[[features]]
kind = "mel"
n_mels = 16
[[features]]
kind = "rms"
[[views]]
name = "noise"
kind = "noise"
snr_db = [10.0, 30.0]
[model]
name = "A"
"""

OPEN = """
import json, sys, time
begun = time.perf_counter()
from featurestore.store import FeatureStore
imported = time.perf_counter()
manifest = FeatureStore.open(sys.argv[1]).manifest
opened = time.perf_counter()
filters = {
    'manifest[(manifest.emotion == "angry") & (manifest.gender == "female")]':
        lambda: manifest[(manifest.emotion == "angry") & (manifest.gender == "female")],
    'manifest.query("emotion == \\'angry\\' and gender == \\'female\\'")':
        lambda: manifest.query("emotion == 'angry' and gender == 'female'"),
    "manifest[manifest.speaker.isin(ten speakers)]":
        lambda: manifest[manifest.speaker.isin([f"bench/s{n:03}" for n in range(0, 100, 10)])],
    'manifest[manifest.status == "ok"].groupby("emotion").size()':
        lambda: manifest[manifest.status == "ok"].groupby("emotion").size(),
}
milliseconds = {}
for name, run in filters.items():
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert len(run())
        times.append(1e3 * (time.perf_counter() - started))
    milliseconds[name] = {"first": times[0], "median": sorted(times)[2]}
print(json.dumps({"clips": len(manifest), "import_s": imported - begun, "open_s": opened - imported,
                  "filters_ms": milliseconds}))
"""


def write_corpus(root: Path, clips: int) -> None:
    """Create a folder corpus ``bench`` of ``clips`` different recordings."""
    noise = np.random.default_rng(0).normal(0, 3000, SAMPLES + clips).astype("<i2").tobytes()
    for emotion in EMOTIONS:
        (root / "bench" / emotion).mkdir(parents=True)
    for number in range(clips):
        name = f"{EMOTIONS[number % len(EMOTIONS)]}/s{number // 8 % SPEAKERS:03}_{number:06}.wav"
        with wave.open(str(root / "bench" / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(noise[2 * number : 2 * (number + SAMPLES)])
    genders = "".join(f's{n:03} = "{("female", "male")[n % 2]}"\n' for n in range(SPEAKERS))
    description = f'name = "bench"\nspeaker = "/(?P<speaker>s[0-9]+)_"\n[genders]\n{genders}'
    (root / "bench" / "corpus.toml").write_text(description)


@dataclass(frozen=True)
class Run:
    """Run a process: seconds, CPU seconds, and the JSON that it printed."""

    seconds: float
    cpu_s: float
    report: dict[str, Any]


def run(command: list[str]) -> Run:
    """Run a command; ends this program if it fails."""
    begun, before = time.perf_counter(), _cpu_of_children()
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if process.returncode:
        sys.exit(process.stderr)
    return Run(seconds, _cpu_of_children() - before, json.loads(process.stdout))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(clips: int, repeat: int, folder: Path) -> dict[str, Any]:
    """Build a store of ``clips`` clips in ``folder`` and measure it."""
    corpora, store, recipe = folder / "corpora", folder / "bench.zarr", folder / "tiny.toml"
    os.environ["SER_CACHE"] = str(folder / "cache")
    recipe.write_text(RECIPE)
    write_corpus(corpora, clips)
    time.sleep(SETTLED_S)
    build = [
        *(
            sys.executable,
            "-c",
            "from training.cli.features import main; main()",
            "build",
            "--datasets",
            "bench",
        ),
        *(
            "--corpora",
            str(corpora),
            "--out",
            str(store),
            "--recipe",
            str(recipe),
            "--json",
            "--device",
            "cpu",
        ),
    ]
    first = run(build)
    if first.report["clips_built"] != clips:
        sys.exit(f"{first.report['clips_built']} clips were built, not {clips}")
    again = [run(build) for _ in range(repeat)]
    if any(build_again.report["units_built"] for build_again in again):
        sys.exit("the second build was not one with nothing to do")
    checked = [run([*build, "--check"]) for _ in range(min(repeat, 2))]
    opened = [run([sys.executable, "-c", OPEN, str(store)]) for _ in range(repeat)]
    reports = [process.report for process in opened]
    return {
        "clips": clips,
        "first_build_s": first.seconds,
        "build_again_s": statistics.median(process.seconds for process in again),
        "build_again_cpu_s": statistics.median(process.cpu_s for process in again),
        "build_again_runs_s": [process.seconds for process in again],
        "build_check_s": statistics.median(process.seconds for process in checked),
        "open_s": statistics.median(report["open_s"] for report in reports),
        "open_runs_s": [report["open_s"] for report in reports],
        "import_before_open_s": statistics.median(report["import_s"] for report in reports),
        "open_process_s": statistics.median(process.seconds for process in opened),
        "filters_ms": {
            name: {
                kind: statistics.median(report["filters_ms"][name][kind] for report in reports)
                for kind in ("first", "median")
            }
            for name in reports[0]["filters_ms"]
        },
    }


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    sizes = []
    for clips in options.clips:
        with tempfile.TemporaryDirectory() as folder:
            sizes.append(measure(clips, options.repeat, Path(folder)))
        figures = {name: value for name, value in sizes[-1].items() if isinstance(value, float)}
        print(f"{clips} clips: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))
        for name, values in sizes[-1]["filters_ms"].items():
            print(f"  {name}: {values['median']:.1f} ms, the first time {values['first']:.1f} ms")
    command = " ".join(["python", "benchmarks/noop.py", *sys.argv[1:]])
    print(write_result("noop", {"command": command, "sizes": sizes}))


if __name__ == "__main__":
    main()
