"""A computed unit made durable: shards first, then statistics, then the record that proves it."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.arrays import write_shards
from featurestore.documents import StoredObject, UnitRecord, write_document
from featurestore.durable import sync_file, sync_folder, write_durably
from featurestore.layout import shard_path, unit_record_path, unit_statistics_path
from featurestore.plan import Unit
from featurestore.unit import UnitResult


def commit_unit(store: Path, result: UnitResult) -> UnitRecord:
    """Write a unit. Its record appears last: a unit without a matching record does not exist."""
    unit = result.unit
    discard_unit(store, unit)
    objects: dict[str, StoredObject] = {}
    for feature, values in result.arrays.items():
        write_shards(store, unit.dataset, feature, unit.first_row, values)
        for view in range(values.shape[0]):
            name = shard_path(unit.dataset, feature, view, unit.index)
            sync_file(store / name)
            sync_folder((store / name).parent)
            objects[name] = StoredObject.of(store / name)
    statistics = unit_statistics_path(unit.dataset, unit.index)
    write_durably(store / statistics, parquet_bytes(result.statistics))
    objects[statistics] = StoredObject.of(store / statistics)
    record = UnitRecord(
        feature_version=unit.feature_version,
        dataset=unit.dataset,
        unit=unit.index,
        fingerprint=result.fingerprint,
        clips=tuple(result.clips),
        parameters=tuple(tuple(map(_number_or_none, row)) for row in result.parameters.tolist()),
        keys=tuple(map(tuple, result.keys)),
        valid_frames=tuple(map(tuple, result.valid_frames.tolist())),
        objects=objects,
    )
    write_document(store / unit_record_path(unit.dataset, unit.index), record)
    return record


def discard_unit(store: Path, unit: Unit) -> None:
    """Remove a unit's record, then its shards: zarr would merge new clips into a shard that is there."""
    (store / unit_record_path(unit.dataset, unit.index)).unlink(missing_ok=True)
    for shard in store.glob(shard_path(unit.dataset, "*", 0, unit.index).replace("/c/0/", "/c/*/")):
        shard.unlink()


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as one Parquet file with zstd compression."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
