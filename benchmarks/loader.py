"""Speed of reading samples from a store, compared with other loaders of the same arrays.

    python benchmarks/loader.py --corpora corpora --work /fast/disk/loader

Samples are all clips of RAVDESS and TESS in all seven views, with mel, MFCC, RMS and ZCR in float16, as
batches of 32 torch tensors in an order as mixed as each loader can make it. Each loader runs in a separate
process with the settings of ser-train (freed memory is kept, OpenMP spins briefly), without worker processes
and with two. Epochs end after ``--seconds``.

- cold: the first epoch of the process, with its files dropped from the page cache before; ours also hashes.
- warm: median of the following epochs.
- memory: largest total of anonymous and shared pages of the process and its workers (no page cache), minus
  their memory before the data were opened.
- mixing: :meth:`loader_data.Data.quality`, in the table for views and chunks; 1 for a random permutation.
- CPU: time of the process and its workers, which depends less on other programs than the clock.

Then model A is trained from memory and from the store, alternating by epoch; ``--training`` does only this
and keeps the other results. ``--work`` keeps the 4 GB of files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from loader_data import BATCH, FEATURES, Data, drop_from_page_cache
from machine import RESULTS, machine, write_result

from pipelines.process import keep_freed_memory, spin_briefly

PYTHON_CODECS = "zarr.core.codec_pipeline.BatchedCodecPipeline"


@dataclass(frozen=True)
class Run:
    """One loader in one process."""

    title: str
    module: str
    store: str = "zstd"
    """Store that is read, or from which the files of the loader are written."""
    workers: int = 0
    home: str | None = None
    codecs: str = "rust"


OURS = (
    Run("ours, ram", "loader_ours", home="ram"),
    Run("ours, stream, zstd", "loader_ours", home="stream"),
    Run("ours, stream, raw", "loader_ours", "raw", home="stream"),
    Run("ours, stream, zstd, Python codecs", "loader_ours", home="stream", codecs="python"),
    Run("ours, stream, raw, Python codecs", "loader_ours", "raw", home="stream", codecs="python"),
)
PEERS = {
    "zarr": ("zstd", "raw"),
    "h5py": ("zstd",),
    "datasets": ("zstd",),
    "webdataset": ("zstd",),
    "litdata": ("zstd",),
}
"""Stores to measure by package."""


def runs() -> list[Run]:
    """All loaders to measure: ours, then every installed peer."""
    found = list(OURS)
    for package, stores in PEERS.items():
        if find_spec(package) is None:
            print(f"{package} is not installed (benchmarks/requirements.txt)")
            continue
        for store in stores:
            title = package if len(stores) == 1 else f"{package}, {store}"
            found += [Run(f"{title}, {n} workers", f"loader_{package}", store, n) for n in (0, 2)]
    return found


def prepare(work: Path, corpora: Path) -> None:
    """Build the two stores and write the files of each peer, if they are missing."""
    from featurestore.build import BuildRequest, build
    from featurestore.plan.spec import SpecRequest

    for name, codec in (("zstd", "zstd"), ("raw", "none")):
        if not (work / f"{name}.zarr" / "store.json").exists():
            spec = SpecRequest(augment=6, codec=codec)
            build(BuildRequest(work / f"{name}.zarr", corpora, "ravdess,tess", spec))
    data = Data.of(work / "raw.zarr")
    for package in PEERS:
        if find_spec(package) is None:
            continue
        module = importlib.import_module(f"peers.loader_{package}")
        if module.FILES and not (work / module.FILES).exists():
            print(f"writing {module.FILES} …", flush=True)
            module.write(data, work)


def one(run: Run, work: Path, seconds: float, repeat: int) -> dict[str, Any]:
    """Measure one loader in this process."""
    keep_freed_memory()
    if run.codecs == "python":
        from featurestore import store as store_module

        store_module.RUST_CODECS = PYTHON_CODECS
    module = importlib.import_module(f"peers.{run.module}")
    place = work / f"{run.store}.zarr"
    data = Data.of(place)
    data.store.views  # noqa: B018 # read tables before memory is measured
    drop_from_page_cache(place.resolve() if module.FILES is None else work / module.FILES)
    print("ready", flush=True)
    options = {} if run.home is None else {"home": run.home}
    begun = time.perf_counter()
    epochs = module.Epochs(data, work, run.workers, **options)
    opening = time.perf_counter() - begun
    rates, cpu, count = [], [], 0
    order = np.zeros(len(data.samples), np.int64)
    first = 0.0
    for epoch in range(repeat + 1):
        spent = cpu_seconds()
        begun = time.perf_counter()
        count = 0
        for features, index in epochs(epoch):
            if not count:
                first = time.perf_counter() - begun
                if features.shape[1:] != (1, *data.shape) or features.dtype.itemsize != 2:
                    sys.exit(f"{run.title} gave {features.dtype} {tuple(features.shape)}")
            # Copied, as small tensors kept alive would fragment the memory of the batches.
            order[count : count + len(index)] = index.numpy()
            count += len(index)
            if time.perf_counter() - begun > seconds:
                break
        elapsed = time.perf_counter() - begun
        rates.append(count / elapsed)
        cpu.append((cpu_seconds() - spent) / count)
    whole = count == len(data.samples)
    return {
        **asdict(run),
        "does": module.DOES,
        "opening_s": opening,
        "first_batch_s": first,
        "cold_samples_s": rates[0],
        "warm_samples_s": statistics.median(rates[1:]),
        "warm_mb_s": statistics.median(rates[1:]) * data.sample_bytes / 1e6,
        "warm_samples_s_runs": rates[1:],
        "warm_cpu_us_a_sample": 1e6 * statistics.median(cpu[1:]),
        "mixing": data.quality(order) if whole else None,
    }


def in_own_process(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one loader in a separate process, with the memory of the process and its workers."""
    command = [
        sys.executable, __file__, "--work", str(options.work), "--seconds", str(options.seconds),
        "--repeat", str(options.repeat), "--one", json.dumps(asdict(run)),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
    stdout = process.stdout
    if stdout is None or stdout.readline() != "ready\n":
        sys.exit(f"{run.title} did not start")
    before = peak = own_memory(process.pid)
    while process.poll() is None:
        peak = max(peak, own_memory(process.pid))
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"{run.title} failed")
    return {**json.loads(stdout.read().splitlines()[-1]), "memory_mb": (peak - before) / 1e6}


def cpu_seconds() -> float:
    """CPU time of this process and its workers so far."""
    import psutil

    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def own_memory(pid: int) -> int:
    """Anonymous and shared memory of a process and its children, in bytes."""
    import psutil

    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):
            continue
        kept = [line.split() for line in lines if line.startswith(("Pss_Anon", "Pss_Shmem"))]
        total += sum(int(fields[1]) * 1024 for fields in kept)
    return total


def training(work: Path, repeat: int) -> dict[str, Any]:
    """Samples per second when training model A, from memory and from the store, alternating by epoch."""
    import torch
    import torch.nn.functional as F
    from peers.loader_ours import Epochs

    from schemas.named_models import MODELS
    from training.models.registry import build_model

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    keep_freed_memory()
    data = Data.of(work / "zstd.zarr")
    model = build_model(MODELS["A"], data.shape[0], data.shape[1], 14)
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    sources = {home: Epochs(data, work, 0, home) for home in ("ram", "stream")}
    valid = torch.full((BATCH,), data.shape[1], device=device)
    rates: dict[str, list[float]] = {home: [] for home in sources}
    for epoch in range(repeat + 1):
        for home, epochs in sources.items():
            count, begun = 0, time.perf_counter()
            for features, index in epochs(epoch):
                images = features.to(device).float() / 50
                loss = F.cross_entropy(model(images, valid[: len(images)]), index.to(device) % 14)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                count += len(images)
            if device.type == "cuda":
                torch.cuda.synchronize()
            rates[home].append(count / (time.perf_counter() - begun))
    medians = {home: statistics.median(found[1:]) for home, found in rates.items()}
    return {"device": device.type, **medians, "ratio": medians["stream"] / medians["ram"], "runs": rates}


def table(found: list[dict[str, Any]]) -> str:
    """The result as Markdown."""
    lines = [
        "| loader | warm samples/s | MB/s | CPU µs per sample | cold samples/s | memory MB | views | chunk |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in found:
        mixing = run["mixing"]
        mixed = (
            f"{mixing['variance_view']:.2f} | {mixing['same_chunk']:.2f}" if mixing else "cut off | cut off"
        )
        lines.append(
            f"| {run['title']} | {run['warm_samples_s']:,.0f} | {run['warm_mb_s']:,.0f} | "
            f"{run['warm_cpu_us_a_sample']:,.0f} | {run['cold_samples_s']:,.0f} | "
            f"{run['memory_mb']:,.0f} | {mixed} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument(
        "--work", type=Path, help="folder for stores and files of peers; default: a temporary folder"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="limit of an epoch, in seconds")
    parser.add_argument("--repeat", type=int, default=3, help="number of warm epochs")
    parser.add_argument(
        "--only", help="measure only runs with this text in their title; the result is not written"
    )
    parser.add_argument("--training", action="store_true", help="measure only the training")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    spin_briefly()
    if options.one:
        run = Run(**json.loads(options.one))
        print(json.dumps(one(run, options.work, options.seconds, options.repeat)))
        return
    earlier = json.loads((RESULTS / "loader.json").read_text()) if options.training else {}
    with tempfile.TemporaryDirectory() as temporary:
        options.work = (options.work or Path(temporary)).resolve()
        options.work.mkdir(parents=True, exist_ok=True)
        prepare(options.work, options.corpora.resolve())
        found = []
        for run in () if options.training else runs():
            if options.only is None or options.only in run.title:
                found.append(in_own_process(run, options))
                print(f"{run.title}: {found[-1]['warm_samples_s']:,.0f} samples/s", flush=True)
        if found:
            print(table(found))
        if options.only is not None:
            return
        trained = training(options.work, options.repeat)
        data = Data.of(options.work / "zstd.zarr")
        measured = {
            "command": " ".join(["python", "benchmarks/loader.py", *sys.argv[1:]]),
            "samples": len(data.samples),
            "features": FEATURES,
            "sample_bytes": data.sample_bytes,
            "batch": BATCH,
            "repeat": options.repeat,
            "seconds": options.seconds,
            "peers": {package: version(package) for package in PEERS if find_spec(package)},
            "runs": found,
        }
    trained |= {"command": measured["command"], "machine": machine()}
    if options.training:
        measured = earlier
    print(f"training: {trained['ram']:.0f} samples/s from memory, {trained['stream']:.0f} streaming")
    print(write_result("loader", {**measured, "training": trained}))


if __name__ == "__main__":
    main()
