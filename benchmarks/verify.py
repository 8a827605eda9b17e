"""Speed of hashing and decoding by `verify --full`, compared with other tools on the same files.

    python benchmarks/verify.py

Two stores of 4,096 clips are built from short noises: raw float32 (1 GB) and the default codec. Runs
alternate with those of the peers: `openssl speed`, which hashes memory, and `sha256sum` and `openssl dgst` on
the same files. Rates are medians of bytes per CPU second of all threads and of the system, which is per core,
and of bytes per second. Files are in the page cache; with a slower disk, the disk is the limit.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from machine import write_result

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.progress import Advance
from featurestore.store import FeatureStore
from featurestore.verify import verify

RECIPE = """
name = "verify"
[audio]
sample_rate = 8000
duration_s = 1.0
[spectral]
n_fft = 512
hop_length = 16
[[features]]
kind = "mel"
n_mels = 128
[model]
name = "A"
"""
"""256 kB per clip in float32: one gigabyte from 66 MB of recordings."""

STORES = {
    "raw float32": {"codec": "none", "dtype": "float32"},
    "default": {},
}


class Timed:
    """Progress that shows nothing and records elapsed and CPU seconds of each task."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def task(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Time a task: :class:`featurestore.progress.Progress`."""
        del total, unit
        begun, cpu = time.perf_counter(), time.process_time()
        yield lambda _: None
        self.seconds[name] = time.perf_counter() - begun, time.process_time() - cpu


def write_corpus(folder: Path, clips: int) -> None:
    """Create a folder corpus ``bench`` of ``clips`` different noises of one second."""
    noise = np.random.default_rng(0).normal(0, 3000, 8000 + clips).astype("<i2")
    for number in range(clips):
        place = folder / "bench" / ("angry", "calm", "happy", "sad")[number % 4]
        place.mkdir(parents=True, exist_ok=True)
        with wave.open(str(place / f"{number:06}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(noise[number : number + 8000].tobytes())


def by_command(command: list[str]) -> tuple[float, float]:
    """Elapsed and CPU seconds of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def openssl_speed(openssl: str) -> float:
    """Speed of SHA-256 in memory on one core, in GB per CPU second."""
    command = [openssl, "speed", "-seconds", "1", "-bytes", "1048576", "-evp", "sha256"]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    count, seconds = re.findall(r"(\d+) sha256's in ([\d.]+)s", out.stderr)[0]
    return int(count) * 1048576 / float(seconds) / 1e9


def measure(folder: Path, clips: int, repeat: int) -> dict[str, Any]:
    """Build the stores in ``folder``, then measure them in turn."""
    os.environ["SER_CACHE"] = str(folder / "cache")
    recipe = folder / "verify.toml"
    recipe.write_text(RECIPE)
    write_corpus(folder / "corpora", clips)
    places = {}
    for name, options in STORES.items():
        places[name] = folder / f"{name.split()[0]}.zarr"
        spec = SpecRequest(recipe=str(recipe), augment=0, **options)
        build(BuildRequest(places[name], folder, f"bench={folder}/corpora/bench", spec, device="cpu"))
    rates: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in STORES}
    memory: list[float] = []
    openssl, sha256sum = shutil.which("openssl"), shutil.which("sha256sum")
    for _ in range(repeat + 1):  # the first fills the page cache
        for name, place in places.items():
            for what, rate in once(place, openssl, sha256sum).items():
                rates[name][what].append(rate)
        if openssl:
            memory.append(openssl_speed(openssl))
    return {
        "clips": clips,
        "repeat": repeat,
        "openssl_speed_gb_s_core": statistics.median(memory[1:]) if memory else None,
        "stores": {
            name: {
                "bytes": sum(entry.bytes for entry in FeatureStore.open(place).document.objects.values()),
                "decoded_bytes": decoded_bytes(place),
                **{what: statistics.median(found[1:]) for what, found in rates[name].items()},
                "hash_gb_s_core_runs": rates[name]["hash_gb_s_core"][1:],
            }
            for name, place in places.items()
        },
    }


def once(place: Path, openssl: str | None, sha256sum: str | None) -> dict[str, float]:
    """Speed of verifying a store, and of the peers on its files, in GB (10⁹ bytes) per second."""
    timed = Timed()
    begun = time.perf_counter()
    result = verify(place, full=True, progress=timed)
    seconds = time.perf_counter() - begun
    if not result.ok or not result.decoded:
        sys.exit(f"{place} was not verified: {result.findings}")
    (hashing, hashing_cpu), (decoding, decoding_cpu) = timed.seconds["hash"], timed.seconds["decode"]
    found = {
        "hash_gb_s_core": result.bytes / hashing_cpu / 1e9,
        "hash_gb_s_clock": result.bytes / hashing / 1e9,
        "decode_gb_s_core": decoded_bytes(place) / decoding_cpu / 1e9,
        "decode_gb_s_clock": decoded_bytes(place) / decoding / 1e9,
        "verify_full_s": seconds,
    }
    files = [str(place / name) for name in FeatureStore.open(place).document.objects]
    peers = {"sha256sum": [sha256sum], "openssl dgst": [openssl, "dgst", "-sha256"]}
    for name, (program, *options) in peers.items():
        if program:
            _, cpu = by_command([program, *options, *files])
            found[f"{name}_gb_s_core"] = result.bytes / cpu / 1e9
    return found


def decoded_bytes(place: Path) -> int:
    """Bytes of the decoded features."""
    store = FeatureStore.open(place)
    numbers = sum(store.spec.coefficients.values()) * store.spec.frames * len(store.spec.view_names)
    return len(store.manifest) * numbers * (2 if store.spec.storage.dtype == "float16" else 4)


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.clips, options.repeat)
    print(f"openssl speed {found['openssl_speed_gb_s_core']:.2f} GB/s per core")
    for name, store in found["stores"].items():
        figures = ", ".join(f"{what} {rate:.2f}" for what, rate in store.items() if isinstance(rate, float))
        print(f"{name}, {store['bytes'] / 1e9:.2f} GB: {figures}")
    command = " ".join(["python", "benchmarks/verify.py", *sys.argv[1:]])
    print(write_result("verify", {"command": command, **found}))


if __name__ == "__main__":
    main()
