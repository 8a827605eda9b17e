"""Scaling of a build over local Dask workers, and a projection to a hundred workers.

python benchmarks/cluster.py --corpora corpora --clips 2560

The same units are built in this process, by one local worker and by two workers, in turn. Then the cost of a
unit for the coordinator is measured: sending a task and receiving a record of typical size through a
scheduler.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from corpus import corpora_of
from machine import write_result

UNIT = 256
MODES = {"in process": ["--jobs", "2"], "1 worker": ["--workers", "1"], "2 workers": ["--workers", "2"]}
COMMAND = "from training.cli.features import main; main()"


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=10 * UNIT)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    builds: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        corpora, _ = corpora_of(options.corpora, options.datasets, options.clips, Path(folder))
        for number in range(options.repeat):
            for place, (mode, arguments) in enumerate(MODES.items()):
                out = f"{folder}/{number}-{place}.zarr"
                builds[mode].append(_build(corpora, out, arguments, f"{folder}/cache-{number}-{place}"))
        round_trip = _round_trip_ms(Path(out))
    seconds = {mode: statistics.median(build["seconds"] for build in runs) for mode, runs in builds.items()}
    costs = _costs(builds, options.clips, round_trip)
    for mode, total in seconds.items():
        print(f"{mode:10} {total:6.1f} s, {options.clips / total:6.1f} clips/s")
    for name, cost in costs.items():
        print(f"{name}: {cost:.3f} ms per clip")
    result = {
        "command": " ".join(["python", "benchmarks/cluster.py", *sys.argv[1:]]),
        "clips": options.clips,
        "seconds": seconds,
        "speed_up_of_2": seconds["1 worker"] / seconds["2 workers"],
        "ms_a_clip": costs,
        "digests_equal": len({build["digest"] for runs in builds.values() for build in runs}) == 1,
        "speed_up_of_100": _speed_up(costs, 100),
    }
    equal = f"digests equal: {result['digests_equal']}"
    print(f"2 workers are {result['speed_up_of_2']:.2f} times as fast as 1; {equal}")
    print(f"100 workers by these costs, over 100,000 clips: {result['speed_up_of_100']:.0f} times")
    print(write_result("cluster", result))


def _build(corpora: Path, out: str, arguments: list[str], cache: str) -> dict[str, Any]:
    command = [sys.executable, "-c", COMMAND, "build", "--json", "--corpora", str(corpora), "--device", "cpu"]
    given = ["--datasets", f"bench={corpora / 'bench'}", "--out", out, *arguments]
    done = subprocess.run(
        [*command, *given], capture_output=True, text=True, check=True, env={**os.environ, "SER_CACHE": cache}
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _costs(builds: dict[str, list[dict[str, Any]]], clips: int, round_trip_ms: float) -> dict[str, float]:
    """Milliseconds per clip of a worker, and of the coordinator before, during and after the work."""

    def median(*stages: str) -> float:
        runs = [*builds["1 worker"], *builds["2 workers"]]
        return 1e3 / clips * statistics.median(sum(run["stages"][stage] for stage in stages) for run in runs)

    return {
        "worker: decode, compute, encode, hash, store": median("decode", "compute", "write"),
        "coordinator: hash recordings, compare": median("hash recordings"),
        "coordinator: send the task, take the record": round_trip_ms / UNIT,
        "coordinator: finalise": median("finalise"),
    }


def _speed_up(costs: dict[str, float], workers: int) -> float:
    """Speed-up of many workers over one; the coordinator's own work comes before and after."""
    work, compare, send, finalise = costs.values()
    return (work + compare + finalise) / (max(work / workers, send) + compare + finalise)


def _round_trip_ms(store: Path, tasks: int = 200) -> float:
    """Cost of the round trip of a task and its record through the scheduler, with two workers."""
    from distributed import Client, LocalCluster

    from featurestore.format.documents import UnitRecord, read_document
    from featurestore.format.layout import unit_record_path
    from featurestore.places.folder import Folder

    record = read_document(Folder(store), unit_record_path("bench", 0), UnitRecord)
    payload = os.urandom(100 * UNIT)  # a clip's description and path
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        client.gather([client.submit(_answer, payload, record, n, pure=False) for n in range(10)])
        begun = time.perf_counter()
        for first in range(0, tasks, 10):
            client.gather([client.submit(_answer, payload, record, first + n, pure=False) for n in range(10)])
        return 1e3 * (time.perf_counter() - begun) / tasks


def _answer(payload: bytes, record: object, number: int) -> object:
    del payload, number
    return record


if __name__ == "__main__":
    main()
