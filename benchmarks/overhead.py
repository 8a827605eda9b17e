"""What trust costs: hashes, fsync, records and Parquet as a share of a build's time.

python benchmarks/overhead.py --corpora corpora --clips 2840

Of the stages that a build reports: `hash recordings` (with the comparison with what stands), `hash` of
objects, `store` (writing, fsync, rename), `finalise` (tables, records read back). `hash` and `store` are
seconds of the writing thread, beside which others compute: that all of them are set against the wall time
makes the share an upper bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from build import build_once
from corpus import corpora_of
from machine import write_result

TRUST = ("hash recordings", "hash", "store", "finalise")


def main() -> None:
    """Build some times and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; without it demo voices are synthesised")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=2840)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    builds = []
    with tempfile.TemporaryDirectory() as folder:
        corpora, _ = corpora_of(options.corpora, options.datasets, options.clips, Path(folder))
        for number in range(options.repeat):
            report = build_once(corpora, Path(folder) / f"{number}.zarr", options)
            stages = {name: report["stages"].get(name, 0.0) for name in (*TRUST, "encode")}
            builds.append({"seconds": report["seconds"], **stages})
    median = {name: statistics.median(build[name] for build in builds) for name in builds[0]}
    share = statistics.median(sum(build[name] for name in TRUST) / build["seconds"] for build in builds)
    for name, seconds in median.items():
        print(f"{name:16} {seconds:6.2f} s")
    print(f"hashes, fsync, records and Parquet: at most {share:.1%} of the build")
    command = " ".join(["python", "benchmarks/overhead.py", *sys.argv[1:]])
    print(write_result("overhead", {"command": command, "builds": builds, "share": share}))


if __name__ == "__main__":
    main()
