"""Sizes, errors and speeds of the codecs for hidden states of an encoder.

    python benchmarks/encoder_codecs.py --corpora corpora --encoder ~/models/whisper-base

States 1 to 4 of clips of RAVDESS, pooled and as frames, are computed once in float32. Each codec then encodes
them as a build does, and zarr decodes them again. Times are processor times on one core, medians of rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import zarr
import zarr.storage
from corpus import corpora_of
from machine import write_result
from zarr.core.buffer import Buffer, default_buffer_prototype

from featurestore.format.arrays import ShardEncoder
from featurestore.format.layout import shard_path
from featurestore.format.zarr_layout import create_feature
from pipelines.decode import decode
from pipelines.encoders.weights import find_weights
from pipelines.pipeline import Pipeline
from pipelines.quantise import quantiser
from schemas.encoders import EncoderSpec
from schemas.spec import AudioSpec, StorageSpec, StoreSpec

AUDIO = AudioSpec(sample_rate=16_000, duration_s=4.0, trim_db=30.0)
STORAGES = (
    StorageSpec(),
    StorageSpec(codec="blosc"),
    StorageSpec(codec="none"),
    StorageSpec(dtype="float32"),
    StorageSpec(dtype="float32", codec="blosc"),
    StorageSpec(dtype="float32", codec="bitround"),
)
Table = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """What a codec makes of a feature. Sizes are in bytes per clip, speeds in MB of decoded numbers per s."""

    feature: str
    dtype: str
    codec: str
    bytes_per_clip: float
    of_raw_float32: float
    largest_error: float
    write_mb_per_s: float
    read_mb_per_s: float


def states(files: list[Path], encoder: Path) -> tuple[StoreSpec, dict[str, Table]]:
    """The specification, and each feature as (clip, coefficient, frame) float32; zeros after the clip."""
    weights = find_weights(encoder)
    features = tuple(
        EncoderSpec(name=name, layers=(1, 2, 3, 4), pooling=pooling).complete(
            weights.architecture, weights.sha256
        )
        for name, pooling in (("pooled", "mean+std"), ("frames", "frames"))
    )
    spec = StoreSpec(audio=AUDIO, features=features, storage=StorageSpec(dtype="float32"))
    folders = {feature.name: weights.folder for feature in features}
    pipeline = Pipeline(spec, torch.device("cpu"), folders)
    out = {name: np.empty((len(files), *shape), np.float32) for name, shape in spec.shapes.items()}
    for row, file in enumerate(files):
        samples = decode(file.read_bytes(), spec.audio).samples
        for name, array in pipeline([f"bench/{row}"], [samples]).arrays.items():
            out[name][row] = array[0, 0]
    return spec, out


def measure(spec: StoreSpec, feature: EncoderSpec, values: Table, repeat: int) -> Row:
    """Encode and decode the values as a store with ``spec`` does."""
    rounding = quantiser(spec, torch.device("cpu"))
    rounded = values if rounding is None else rounding(torch.from_numpy(values)).numpy()
    stored = rounded.astype(spec.storage.dtype)
    writes, reads = [], []
    encoded: list[bytes] = []
    for _ in range(repeat):
        encoder = ShardEncoder(spec)
        started = time.process_time()
        encoded = encoder.encode(feature.name, stored)
        writes.append(time.process_time() - started)
    objects: dict[str, Buffer] = {}
    group = zarr.create_group(zarr.storage.MemoryStore(objects), zarr_format=3)
    array = create_feature(group, feature, spec, 1, len(values))
    for layer, data in enumerate(encoded):
        path = shard_path("", feature.name, 0, 0, layer).lstrip("/")
        objects[path] = default_buffer_prototype().buffer.from_bytes(data)
    for _ in range(repeat):
        started = time.process_time()
        read = np.asarray(array[0])
        reads.append(time.process_time() - started)
    assert np.array_equal(read, stored)
    size, megabytes = sum(map(len, encoded)), stored.nbytes / 1e6
    return Row(
        feature=feature.name,
        dtype=spec.storage.dtype,
        codec=spec.storage.codec,
        bytes_per_clip=size / len(values),
        of_raw_float32=size / values.nbytes,
        largest_error=float(np.abs(stored.astype(np.float32) - values).max() / np.abs(values).max()),
        write_mb_per_s=megabytes / statistics.median(writes),
        read_mb_per_s=megabytes / statistics.median(reads),
    )


def main() -> None:
    """Measure all codecs and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        _, files = corpora_of(options.corpora, "ravdess", options.clips, Path(scratch))
        spec, tables = states(files, options.encoder)
    rows = [
        measure(spec.model_copy(update={"storage": storage}), feature, tables[feature.name], options.repeat)
        for feature in spec.encoders
        for storage in STORAGES
    ]
    for row in rows:
        print(
            f"| {row.feature} | {row.dtype}, {row.codec} | {row.bytes_per_clip / 1e3:,.1f} | "
            f"{row.of_raw_float32:.1%} | {row.largest_error:.1e} | {row.write_mb_per_s:,.0f} | "
            f"{row.read_mb_per_s:,.0f} |"
        )
    command = " ".join(["python", "benchmarks/encoder_codecs.py", *sys.argv[1:]])
    print(
        write_result(
            "encoder-codecs", {"command": command, "clips": len(files), "rows": [asdict(row) for row in rows]}
        )
    )


if __name__ == "__main__":
    main()
