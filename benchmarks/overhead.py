"""Cost of verification: hashes, fsync, records and Parquet as a share of the time of a build.

python benchmarks/overhead.py --corpora corpora --clips 2840

Normal builds alternate with builds whose objects are neither hashed nor flushed to disk. The result is the
difference of the medians, and the separate stages `hash recordings` (with the comparison with the existing
store) and `finalise` (tables, reading records back).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from build import build_command
from corpus import corpora_of
from machine import write_result

from pipelines.process import usable_jobs

ALONE = ("hash recordings", "finalise")

BARE = """
import os
from featurestore.format.documents import StoredObject
os.fsync = lambda descriptor: None
StoredObject.of = classmethod(lambda cls, data: cls(bytes=len(data), sha256="0" * 64))
"""
"""Code that a build without hashes and fsync runs first."""


def main() -> None:
    """Build several times and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=2840)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--jobs", type=int, default=usable_jobs())
    options = parser.parse_args()
    builds: dict[str, list[dict[str, Any]]] = {"normal": [], "bare": []}
    with tempfile.TemporaryDirectory() as folder:
        corpora, _ = corpora_of(options.corpora, options.datasets, options.clips, Path(folder))
        for number in range(options.repeat):
            for mode, runs in builds.items():
                out = Path(folder) / f"{number}-{mode}.zarr"
                command = build_command(corpora, out, options)
                command[2] = (BARE if mode == "bare" else "") + command[2]
                cache = {**os.environ, "SER_CACHE": f"{out}.cache"}  # every recording is hashed
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=cache)
                runs.append(json.loads(done.stdout))
                shutil.rmtree(out)
    seconds = {mode: statistics.median(run["seconds"] for run in runs) for mode, runs in builds.items()}
    stages = {
        name: statistics.median(run["stages"].get(name, 0.0) for run in builds["normal"])
        for name in (*ALONE, "encode", "hash", "store", "waiting for write")
    }
    alone = sum(stages[name] for name in ALONE)
    share = (seconds["normal"] - seconds["bare"] + alone) / seconds["normal"]
    for name, taken in {**seconds, **stages}.items():
        print(f"{name:18} {taken:6.2f} s")
    print(f"hashes, fsync, records and Parquet: {share:.1%} of the build")
    result = {
        "command": " ".join(["python", "benchmarks/overhead.py", *sys.argv[1:]]),
        "seconds": {mode: [run["seconds"] for run in runs] for mode, runs in builds.items()},
        "stages_s": stages,
        "share": share,
    }
    print(write_result("overhead", result))


if __name__ == "__main__":
    main()
