"""Speed of decoding with soundfile and DALI, including hashing, resampling and quality.

python benchmarks/decode.py --corpora corpora
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from corpus import corpora_of
from machine import write_result

from data.locate import locate
from featurestore.compute.read_ahead import read_ahead
from featurestore.compute.reader import ReadSettings
from featurestore.compute.stages import Stages
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.units import SourceClip
from featurestore.progress import Silent
from pipelines.decoders import Decoder
from pipelines.machine import usable_cores
from pipelines.process import keep_freed_memory
from schemas.spec import AudioSpec

DECODERS: tuple[Decoder, ...] = ("soundfile", "dali")


def clips_per_s(sources: Sequence[SourceClip], decoder: Decoder, threads: int) -> float:
    """Recordings per second read by the reader of a build."""
    settings = ReadSettings(AudioSpec(trim_db=40), 66_150, threads, decoder, Stages())
    started = time.perf_counter()
    refused = sum(bool(read.fallback) for read in read_ahead(sources, settings, lambda read: read))
    if refused:
        sys.exit(f"{refused} recordings were left to soundfile: this would not measure {decoder}")
    return len(sources) / (time.perf_counter() - started)


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=1024)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, usable_cores()}))
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()
    runs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root, _ = corpora_of(options.corpora, options.datasets, options.clips, Path(folder))
        ((corpus, path),) = locate(f"bench={root / 'bench'}", root).found
        sources = hash_recordings(corpus.scan(path), Silent())
        for run in range(options.repeat + 1):
            for threads in options.threads:
                for decoder in DECODERS:
                    speed = clips_per_s(sources, decoder, threads)
                    if run:  # the first warms up
                        runs.setdefault(f"{decoder}, {threads} threads", []).append(speed)
    for name, speeds in runs.items():
        print(f"{name}: {statistics.median(speeds):.0f} clips/s")
    command = " ".join(["python", "benchmarks/decode.py", *sys.argv[1:]])
    medians = {name: statistics.median(speeds) for name, speeds in runs.items()}
    print(write_result("decode", {"command": command, "clips_per_s": medians, "runs": runs}))


if __name__ == "__main__":
    main()
