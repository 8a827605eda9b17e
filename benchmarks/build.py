"""Speed of building a store, compared with common tools on the same recordings.

    python benchmarks/build.py --corpora corpora

Each recording is read, resampled, trimmed and cut to 3 s. Seven features are computed for the original and
six views (recipe four-corpora-a): mel dB, MFCC, delta, delta-delta, tuned chroma, RMS and ZCR. Ours is the
command `ser-features build`, which also hashes, measures quality, compresses and writes; the peers store
nothing. Every run is a separate process; start-up does not count for the peers. Runs alternate; results are
medians. Peers that are not installed are skipped and listed (benchmarks/requirements.txt).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile
from corpus import corpora_of
from machine import write_result
from memory import peak_memory

from pipelines.process import usable_jobs

HERE = Path(__file__).resolve().parent
PEERS = [
    ("librosa_loop", 1),
    ("librosa_loop", 2),
    ("librosa_shared", 1),
    ("librosa_shared", 2),
    ("torchaudio_single", 1),
    ("lhotse_batch", 1),
    ("audiomentations_views", 1),
]


@dataclass
class Runs:
    """Results of repeated runs of one contender."""

    does: str = ""
    clips_per_s: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Clips per second."""
        return statistics.median(self.clips_per_s)


def build_once(corpora: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """JSON report of a build in a separate process with an empty cache of hashes."""
    process = subprocess.run(
        build_command(corpora, out, options),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SER_CACHE": f"{out}.cache"},
    )
    if process.returncode:
        sys.exit(process.stderr)
    report: dict[str, Any] = json.loads(process.stdout)
    return report


def build_watched(corpora: Path, out: Path, options: argparse.Namespace) -> float:
    """Peak memory in GiB of all processes of a build, which watching slows down."""
    command = build_command(corpora, out, options)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process, peak_memory(process.pid) as peak:
        process.wait()
    return peak.bytes / 2**30


def build_command(corpora: Path, out: Path, options: argparse.Namespace) -> list[str]:
    """The command line of a build with six views and all features."""
    return [
        *(sys.executable, "-c", "from training.cli.features import main; main()", "build"),
        *("--datasets", f"bench={corpora / 'bench'}", "--corpora", str(corpora), "--out", str(out)),
        *("--augment", "6", "--features", "all", "--json", "--device", options.device),
        *("--decoder", options.decoder, "--jobs", str(options.jobs)),
    ]


def peer_once(name: str, processes: int, files: list[Path]) -> dict[str, Any] | None:
    """One run of a peer; None if it is not installed."""
    command = [sys.executable, str(HERE / "peer.py"), name, str(processes), *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        if "ModuleNotFoundError" in run.stderr:
            return None
        sys.exit(run.stderr)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=2048, help="number of recordings for ser-features build")
    parser.add_argument("--peer-clips", type=int, default=64, help="number of recordings for each peer")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--jobs", type=int, default=usable_jobs())
    options = parser.parse_args()
    ours, peers, reports = Runs("all, and writes a verified store"), {}, []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        corpora, files = corpora_of(options.corpora, options.datasets, options.clips, scratch)
        some = files[:: max(1, len(files) // options.peer_clips)][: options.peer_clips]
        for run in range(options.repeat):
            report = build_once(corpora, scratch / f"{run}.zarr", options)
            reports.append(report)
            ours.clips_per_s.append(report["clips_built"] / report["seconds"])
            for name, processes in PEERS:
                result = peer_once(name, processes, some)
                if result is None:
                    print(f"{name}: not installed")
                    continue
                label = f"{result['name']}" + (f", {processes} processes" if processes > 1 else "")
                peer = peers.setdefault(label, Runs(result["does"]))
                peer.clips_per_s.append(len(some) / result["seconds"])
        peak_gib = build_watched(corpora, scratch / "watched.zarr", options)
        seconds_of_audio = sum(soundfile.info(file).duration for file in files)
    print(f"ours: {ours.median:.1f} clips/s, {ours.clips_per_s}")
    for label, peer in peers.items():
        print(f"{label}: {peer.median:.1f} clips/s, ours {ours.median / peer.median:.1f} times: {peer.does}")
    middle = min(reports, key=lambda report: abs(report["clips_built"] / report["seconds"] - ours.median))
    result = {
        "command": " ".join(["python", "benchmarks/build.py", *sys.argv[1:]]),
        "clips": len(files),
        "jobs": options.jobs,
        "clips_per_s": ours.median,
        "real_time_factor": seconds_of_audio / len(files) * ours.median,
        "views_per_s": 7 * ours.median,
        "peak_gib": peak_gib,
        "stages_s": middle["stages"],
        "seconds": middle["seconds"],
        "runs": ours.clips_per_s,
        "peers": {
            label: {
                "clips_per_s": peer.median,
                "ratio": ours.median / peer.median,
                "runs": peer.clips_per_s,
                "does": peer.does,
            }
            for label, peer in peers.items()
        },
    }
    print(f"real-time factor {result['real_time_factor']:.0f}, peak {result['peak_gib']:.2f} GiB")
    print(write_result("build" if options.device == "cpu" else "build-gpu", result))


if __name__ == "__main__":
    main()
