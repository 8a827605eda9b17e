"""Costs of each encoding of features: size, error, time to write and read, and undetected damage.

python benchmarks/codecs.py --corpora corpora

Times are CPU times on one core, of all threads and of the system, so that other programs have little effect.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
import zarr.storage
from codec_candidates import Candidate, Table, candidates
from corpus import corpora_of
from machine import write_result

from pipelines.decode import decode
from pipelines.pipeline import Pipeline
from pipelines.process import keep_freed_memory
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec, StoreSpec

RUST, PYTHON = "zarrs.ZarrsCodecPipeline", "zarr.core.codec_pipeline.BatchedCodecPipeline"
CHUNK, SHARD = 32, 256
FLIPPED = "mel"
"""Feature whose chunks are damaged."""


def computed(files: list[Path], spec: StoreSpec) -> Table:
    """Features of the recordings, (view, clip, coefficient, frame) float32, concatenated."""
    pipeline = Pipeline(spec, torch.device("cpu"))
    shape = (len(spec.view_names), len(files), sum(spec.coefficients.values()), spec.frames)
    table = np.empty(shape, np.float32)
    for row, file in enumerate(files):
        samples = decode(file.read_bytes(), spec.audio).samples
        arrays = pipeline([f"bench/{row}"], [samples]).arrays
        table[:, row] = np.concatenate(list(arrays.values()), axis=2)[:, 0]
    return table


def created(store: Any, candidate: Candidate, spec: StoreSpec, shape: tuple[int, ...]) -> dict[str, Any]:
    """Empty arrays, as in a feature store."""
    group = zarr.create_group(store, overwrite=True)
    return {
        name: group.create_array(
            name,
            shape=(*shape[:2], count, shape[3]),
            dtype=candidate.dtype,
            chunks=(1, CHUNK, count, shape[3]),
            shards=(1, SHARD, count, shape[3]),
            compressors=candidate.compressors,
            fill_value=np.nan,
            config={"write_empty_chunks": True},
        )
        for name, count in spec.coefficients.items()
    }


def write_s(candidate: Candidate, table: Table, spec: StoreSpec, folder: Path) -> float:
    """CPU seconds to encode all shards in memory; writing them to ``folder`` is not timed."""
    objects: dict[str, Any] = {}
    arrays = created(zarr.storage.MemoryStore(objects), candidate, spec, table.shape)
    started = time.process_time()
    for name, columns in spec.signal_columns.items():
        for view, numbers in enumerate(table):
            arrays[name][view] = numbers[:, columns]
    seconds = time.process_time() - started
    shutil.rmtree(folder, ignore_errors=True)
    for name, buffer in objects.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(buffer.to_bytes())
    return seconds


def opened(folder: Path, name: str, pipeline: str) -> Any:
    """Open an array to be decoded by Rust or Python; fails if Rust does not support its codecs."""
    with zarr.config.set({"codec_pipeline.path": pipeline, "codec_pipeline.strict": True}):
        return zarr.open_array(zarr.storage.LocalStore(folder, read_only=True), path=name, mode="r")


def read_s(folder: Path, spec: StoreSpec, views: int) -> float:
    """CPU seconds to read all numbers with zarrs from the page cache."""
    arrays = [opened(folder, name, RUST) for name in spec.signal_columns]
    started = time.process_time()
    for array in arrays:
        for view in range(views):
            array[view : view + 1]  # with [view] zarrs leaves reads of several shards to zarr-python
    return time.process_time() - started


def damage(folder: Path, flips: int) -> dict[str, dict[str, int]]:
    """Outcomes of ``flips`` flipped bits by reader: errors, wrong numbers, no change."""
    file = folder / FLIPPED / "c" / "0" / "0" / "0" / "0"
    good = file.read_bytes()
    offset, size = np.frombuffer(good[-4 - 16 * (SHARD // CHUNK) : -4], "<u8")[:2].tolist()  # first chunk's
    ways = {
        "a shard, zarrs": (RUST, np.s_[:1, :SHARD]),
        "a chunk, zarrs": (RUST, np.s_[:1, :CHUNK]),
        "a chunk, zarr-python": (PYTHON, np.s_[:1, :CHUNK]),
    }
    found = {way: {"found": 0, "wrong": 0, "harmless": 0} for way in ways}
    for way, (pipeline, part) in ways.items():
        right = opened(folder, FLIPPED, pipeline)[part].tobytes()
        for bit in _bits(flips, offset, size):
            broken = bytearray(good)
            broken[bit // 8] ^= 1 << bit % 8
            file.write_bytes(broken)
            try:
                read = opened(folder, FLIPPED, pipeline)[part].tobytes()
            except (RuntimeError, ValueError, OSError):
                found[way]["found"] += 1
            else:
                found[way]["harmless" if read == right else "wrong"] += 1
        file.write_bytes(good)
    return found


def _bits(flips: int, offset: int, size: int) -> Iterator[int]:
    rng = random.Random(0)
    return (8 * offset + rng.randrange(8 * size) for _ in range(flips))


def errors(candidate: Candidate, table: Table, spec: StoreSpec) -> dict[str, dict[str, float]]:
    """Largest and root-mean-square error by feature, relative to the float32 numbers of the pipeline."""
    stored = candidate.stored(table)
    out = {}
    for name, columns in spec.signal_columns.items():
        error = np.abs(stored[:, :, columns].astype(np.float32) - table[:, :, columns])
        rms = float(np.sqrt(np.square(error, dtype=np.float64).mean()))
        out[name] = {"largest": float(error.max()), "rms": rms}
    return out


def main() -> None:
    """Measure all candidates in turn and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument(
        "--views", type=int, default=1, help="number of augmented views, in addition to the original"
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--flips", type=int, default=40)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # all threads on one core
    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = load_recipe("four-corpora-a").store_spec(options.views, storage=StorageSpec(dtype="float32"))
    spec = recipe.model_copy(update={"features": named_features("all", recipe.features)})
    with tempfile.TemporaryDirectory() as scratch:
        _, files = corpora_of(options.corpora, options.datasets, options.clips, Path(scratch))
        table = computed(files, spec)
        measured = [_Measured(candidate, table, spec) for candidate in candidates(spec)]
        for _ in range(options.repeat):
            for one in measured:
                one.turn(table, spec, Path(scratch) / "store", options.flips)
    rows = [one.row(table) for one in measured]
    print("\n".join(f"| {' | '.join(str(cell) for cell in _cells(row))} |" for row in rows))
    command = " ".join(["python", "benchmarks/codecs.py", *sys.argv[1:]])
    shown = {"command": command, "clips": table.shape[1], "views": table.shape[0], "candidates": rows}
    print(write_result("codecs", shown))


class _Measured:
    """Measurements of one candidate."""

    def __init__(self, candidate: Candidate, table: Table, spec: StoreSpec) -> None:
        self.candidate = candidate
        self.errors = errors(candidate, table, spec)
        self.writes: list[float] = []
        self.reads: list[float] = []
        self.bytes = 0
        self.damage: dict[str, dict[str, int]] = {}

    def turn(self, table: Table, spec: StoreSpec, folder: Path, flips: int) -> None:
        """Write and read once."""
        self.writes.append(write_s(self.candidate, self.candidate.stored(table), spec, folder))
        self.reads.append(min(read_s(folder, spec, len(table)) for _ in range(2)))
        if not self.bytes:
            self.bytes = sum(file.stat().st_size for file in folder.glob("*/c/**/*") if file.is_file())
            self.damage = damage(folder, flips)

    def row(self, table: Table) -> dict[str, Any]:
        """Row of the result: sizes per clip and view, and median speeds in MB of decoded numbers."""
        count = table.shape[0] * table.shape[1]
        megabytes = table.size * np.dtype(self.candidate.dtype).itemsize / 1e6
        read = statistics.median(self.reads)
        return {
            "name": self.candidate.name,
            "options": self.candidate.options,
            "bytes_per_clip": round(self.bytes / count),
            "of_raw_float32": self.bytes / table.nbytes,
            "write_mb_per_s": megabytes / statistics.median(self.writes),
            "read_mb_per_s": megabytes / read,
            "read_clips_per_s": count / read,
            "errors": self.errors,
            "flipped_bits": self.damage,
        }


def _cells(row: dict[str, Any]) -> list[str]:
    mel, mfcc = row["errors"]["mel"]["largest"], row["errors"]["mfcc"]["largest"]
    seen = [f"{way['found']}/{way['wrong']}" for way in row["flipped_bits"].values()]
    speeds = [f"{row[f'{what}_mb_per_s']:,.0f}" for what in ("write", "read")]
    size = [f"{row['bytes_per_clip'] / 1e3:.1f}", f"{100 * row['of_raw_float32']:.1f} %"]
    read = f"{row['read_clips_per_s']:,.0f}"
    return [row["name"], row["options"], *size, f"{mel:.2g}", f"{mfcc:.2g}", *speeds, read, *seen]


if __name__ == "__main__":
    main()
