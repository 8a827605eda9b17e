"""Time and memory of `ser-features report` with growing arrays and growing tables.

    python benchmarks/report.py

Two series of stores are built from short noises. In the first, arrays grow: 168 kB per clip, so few rows for
many bytes. In the second, tables grow: 1 kB per clip, so many rows for few bytes, with one view and with
seven. Each run is a separate process, including the start of Python: the command; a peer that computes the
same means and correlations of arrays that it loads completely with zarr and numpy; and one thread that hashes
the same files. Peaks are of the resident memory of a process and all its children. Runs alternate; results
are medians. Files are in the page cache; with a slower disk, the disk is the limit.
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
from collections import defaultdict
from pathlib import Path
from typing import Any

import noop
import numpy as np
import verify
from machine import write_result

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore

RECIPE = """
name = "report"
[audio]
sample_rate = 8000
duration_s = {seconds}
[spectral]
n_fft = 256
hop_length = {hop}
[[features]]
kind = "mel"
n_mels = {mels}
[[features]]
kind = "mfcc"
n_mfcc = {mfccs}
n_mels = {mels}
{views}
[model]
name = "A"
"""
VIEW = '[[views]]\nname = "{kind}-{number}"\nkind = "{kind}"\n{values}\n'
DRAWN = {"noise": "snr_db = [10.0, 30.0]", "shift": "fraction = [0.1, 0.3]"}

LARGE = {"seconds": 1.0, "hop": 16, "mels": 128, "mfccs": 40}
LARGE_CLIP = 2 * (128 + 40) * 501
"""Bytes of the numbers of a clip."""

SMALL = {"seconds": 0.25, "hop": 128, "mels": 20, "mfccs": 13}
"""(20 + 13) × 16 numbers per clip and view, 1 kB."""

USUAL_SAMPLE = 25_600
"""Bytes of a clip in one view in the store of benchmarks/loader.py: 44 kB, of which zstd leaves 58 %."""

COMMAND = "from training.cli.features import main; main()"

PEER = """
import resource
import numpy as np, pandas as pd, zarr
store, limit = sys.argv[1], int(sys.argv[2]) * 2**30
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
clips = pd.read_parquet(f"{store}/manifest.parquet").sort_values("row")
views = pd.read_parquet(f"{store}/views.parquet", columns=["clip_id", "view", "valid_frames"])
lengths = views[views["view"] == 0].set_index("clip_id")["valid_frames"].loc[clips["clip_id"]].to_numpy()
arrays = zarr.open_group(store, mode="r")
emotions = clips["emotion"].to_numpy()

mel = arrays["bench/mel"][:1][0].transpose(0, 2, 1)  # (clip, frame, band)
valid = np.arange(mel.shape[1]) < lengths[:, np.newaxis]
means = {}
for emotion in np.unique(emotions):
    of = emotions == emotion
    means[emotion] = mel[of][valid[of]].mean(axis=0, dtype=np.float64).tolist()
del mel
mfcc = arrays["bench/mfcc"][:1][0].transpose(0, 2, 1)
matrix = np.corrcoef(mfcc[valid], rowvar=False)
print(json.dumps({"means": means, "matrix": matrix.tolist()}))
"""
"""Computes means and correlations of arrays that are loaded completely, within a limit in GiB."""

HASH = """
import hashlib
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        hashlib.file_digest(file, "sha256")
print("null")
"""
"""Reads files and hashes them in one thread."""

AROUND = """
import json, os, sys
try:
    exec(os.environ["SCRIPT"])
finally:
    status = open("/proc/self/status").read().split()
    with open(os.environ["PEAK_FILE"], "w") as file:
        file.write(status[status.index("VmHWM:") + 1])
"""
"""Runs a script, and writes the kernel's count of its largest resident memory, in kB."""


def originals(store: Path) -> list[Path]:
    """Files of view 0 of mel and MFCC."""
    names = [store / "bench" / name / "c/0" for name in ("mel", "mfcc")]
    return sorted(file for name in names for file in name.rglob("*") if file.is_file())


def watched(script: str, *arguments: str | Path) -> dict[str, Any]:
    """Seconds, processor seconds and peak resident memory (MB, 10⁶ bytes) of a process with its children.

    ``printed`` : the JSON that it printed. ``failed`` : if it failed instead, the last line of its errors.
    The peak is the kernel's own count for the process or, if it has children, the largest observed sum.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun, cpu = time.perf_counter(), cpu_of_children()
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-c", AROUND, *map(str, arguments)],
                env={**os.environ, "SCRIPT": script, "PEAK_FILE": str(folder / "peak")},
                stdout=out,
                stderr=err,
            )
            seen = 0
            while process.poll() is None:
                seen = max(seen, resident(process.pid))
                time.sleep(0.02)
        found: dict[str, Any] = {"seconds": time.perf_counter() - begun}
        found["cpu_seconds"] = cpu_of_children() - cpu
        found["peak_mb"] = max(seen, 1024 * int((folder / "peak").read_text())) / 1e6
        if process.returncode:
            found["failed"] = ((folder / "err").read_text().strip().splitlines() or ["no message"])[-1]
        else:
            found["printed"] = json.loads((folder / "out").read_text())
        return found


def cpu_of_children() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident(pid: int) -> int:
    """Resident memory in bytes of a process and its descendants; shared pages count for each."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (OSError, IndexError):  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(resident, children))


def built(folder: Path, clips: int, shape: dict[str, Any], views: int = 1) -> Path:
    """Build a store of ``clips`` clips in ``views`` views."""
    extra = "".join(
        VIEW.format(kind=kind, number=number, values=DRAWN[kind])
        for number in range(1, views)
        for kind in [("noise", "shift")[number % 2]]
    )
    recipe = folder / "report.toml"
    recipe.write_text(RECIPE.format(views=extra, **shape))
    write_corpus = verify.write_corpus if shape is LARGE else noop.write_corpus
    write_corpus(folder / "corpora", clips)
    os.environ["SER_CACHE"] = str(folder / "cache")
    store = folder / "bench.zarr"
    spec = SpecRequest(recipe=str(recipe))
    build(BuildRequest(store, folder, f"bench={folder}/corpora/bench", spec, device="cpu"))
    return store


def measure(store: Path, options: argparse.Namespace, *, with_peer: bool) -> dict[str, Any]:
    """Run all contenders on one store in turn; ends this program if the numbers of the peer differ."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    page, begun, load = store.parent / "page.html", time.perf_counter(), os.getloadavg()[1]
    for number in range(options.repeat):
        if number and time.perf_counter() - begun > options.enough_s:
            break
        runs["report"].append(watched(COMMAND, "report", store, "--out", page, "--json"))
        if "failed" in runs["report"][-1]:
            sys.exit(f"the report failed: {runs['report'][-1]['failed']}")
        if with_peer:
            runs["peer"].append(watched(PEER, store, options.peer_limit_gib))
            runs["hash"].append(watched(HASH, *originals(store)))
    if with_peer and "printed" in runs["peer"][-1]:
        require_same(runs["report"][-1]["printed"], runs["peer"][-1]["printed"])
    opened = FeatureStore.open(store)
    objects = opened.document.objects
    values = sum(opened.spec.coefficients.values()) * opened.spec.frames
    return {
        "clips": len(opened.manifest),
        "views": len(opened.spec.view_names),
        "store_bytes": sum(entry.bytes for entry in objects.values()),
        "read_bytes": sum(file.stat().st_size for file in originals(store)),
        "read_bytes_decoded": len(opened.manifest) * values * 2,
        "tables_bytes": sum(entry.bytes for name, entry in objects.items() if name.endswith(".parquet")),
        "page_bytes": page.stat().st_size,
        "load_average": load,
        **{name: figures(of) for name, of in runs.items()},
    }


def figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of runs, and the runs; ``failed`` if the last one failed."""
    out: dict[str, Any] = {}
    for what in ("seconds", "cpu_seconds", "peak_mb"):
        out[what] = statistics.median(run[what] for run in runs)
        out[f"runs_{what}"] = [run[what] for run in runs]
    return {**out, "failed": runs[-1]["failed"]} if "failed" in runs[-1] else out


def require_same(report: dict[str, Any], other: dict[str, Any]) -> None:
    """Check that both computed the same numbers in single precision."""
    means = [other["means"][emotion] for emotion in report["mel"]["emotions"]]
    for ours, theirs in ((report["mel"]["mean_db"], means), (report["mfcc"]["matrix"], other["matrix"])):
        if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-6):
            sys.exit(f"the peer's numbers differ by {np.max(np.abs(np.subtract(ours, theirs))):.2g}")


def line(sizes: list[dict[str, Any]]) -> dict[str, float]:
    """Linear fit of the peak memory on stores that differ only in rows, and its extrapolation.

    ``clips_of_100_gb`` : of stores whose clips take :data:`USUAL_SAMPLE` bytes in each view.
    """
    rise, start = np.polyfit(
        [size["clips"] for size in sizes], [size["report"]["peak_mb"] for size in sizes], 1
    )
    clips = 100e9 / (USUAL_SAMPLE * sizes[0]["views"])
    return {
        "views": sizes[0]["views"],
        "peak_mb_without_rows": float(start),
        "mb_per_100000_clips": float(1e5 * rise),
        "clips_of_100_gb": round(clips),
        "extrapolated_peak_mb_of_100_gb": float(start + rise * clips),
    }


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--gb", type=float, nargs="+", default=[0.5, 2, 8], help="sizes of the arrays, in GB of numbers"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 40_000])
    parser.add_argument(
        "--views", type=int, nargs="+", default=[1, 7], help="views of the stores with many rows"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--enough-s", type=float, default=120, help="seconds after which runs are not repeated"
    )
    parser.add_argument("--peer-limit-gib", type=int, default=14, help="memory limit of the peer, in GiB")
    parser.add_argument("--work", type=Path, help="folder for the stores, which are deleted again")
    options = parser.parse_args()
    large = [round(1e9 * gb / LARGE_CLIP) for gb in options.gb]
    arrays = [measured(clips, LARGE, 1, options, with_peer=True) for clips in large]
    tables = [
        [measured(rows, SMALL, views, options, with_peer=False) for rows in options.rows]
        for views in options.views
    ]
    found = {
        "command": " ".join(["python", "benchmarks/report.py", *options_given(sys.argv[1:])]),
        "repeat": options.repeat,
        "arrays": arrays,
        "tables": [size for sizes in tables for size in sizes],
        "lines": [line(sizes) for sizes in tables],
    }
    print(json.dumps(found["lines"]))
    print(write_result("report", found))


def options_given(words: list[str]) -> list[str]:
    """Command line without ``--work`` and its folder, which is specific to this machine."""
    place = words.index("--work") if "--work" in words else len(words)
    return words[:place] + words[place + 2 :]


def measured(
    clips: int, shape: dict[str, Any], views: int, options: argparse.Namespace, *, with_peer: bool
) -> dict[str, Any]:
    """Build a store, measure it and delete it."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        size = measure(built(Path(folder), clips, shape, views), options, with_peer=with_peer)
    print(", ".join(f"{name} {shown(value)}" for name, value in size.items()), flush=True)
    return size


def shown(value: Any) -> str:
    """Format a measurement for the console."""
    if not isinstance(value, dict):
        return f"{value:,}"
    time_and_memory = "{seconds:.1f} s (processor {cpu_seconds:.1f} s) {peak_mb:,.0f} MB".format(**value)
    return f"{time_and_memory} {value.get('failed', '')}".strip()


if __name__ == "__main__":
    main()
