"""Cost per clip in small and large builds.

python benchmarks/flat.py --corpora corpora --clips 100 1000 10000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from build import build_once, build_watched
from corpus import corpora_of
from machine import write_result

from pipelines.process import usable_jobs


def main() -> None:
    """Build each size once and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--jobs", type=int, default=usable_jobs())
    options = parser.parse_args()
    sizes = []
    for clips in options.clips:
        with tempfile.TemporaryDirectory() as folder:
            corpora, _ = corpora_of(options.corpora, options.datasets, clips, Path(folder))
            report = build_once(corpora, Path(folder) / "out.zarr", options)
            peak_gib = build_watched(corpora, Path(folder) / "watched.zarr", options)
        size = {
            "clips": clips,
            "seconds": report["seconds"],
            "ms_per_clip": 1e3 * report["seconds"] / clips,
            "peak_gib": peak_gib,
        }
        print(", ".join(f"{name} {value:.4g}" for name, value in size.items()))
        sizes.append(size)
    command = " ".join(["python", "benchmarks/flat.py", *sys.argv[1:]])
    print(write_result("flat", {"command": command, "sizes": sizes}))


if __name__ == "__main__":
    main()
