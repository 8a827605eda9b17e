"""Writes a computed unit durably: shards and statistics together, then the record that proves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pyarrow as pa

from featurestore.compute.imported import ImportedPart
from featurestore.compute.stages import Stages
from featurestore.compute.unit import UnitResult
from featurestore.format.arrays import ShardEncoder
from featurestore.format.documents import StoredObject, UnitRecord, write_document
from featurestore.format.layout import (
    format_version,
    is_shard,
    shard_path,
    unit_record_path,
    unit_statistics_path,
)
from featurestore.format.statistics import read_statistics, sort_statistics
from featurestore.format.tables import parquet_bytes
from featurestore.places.lease import Fence
from featurestore.places.place import Place
from featurestore.places.write_group import WriteGroup, write_group
from featurestore.plan.growth import UnitWork
from schemas.errors import StoreChangedError

Value = TypeVar("Value")


def commit_unit(
    place: Place,
    result: UnitResult,
    imported: ImportedPart,
    encoder: ShardEncoder,
    fence: Fence,
    stages: Stages,
) -> UnitRecord:
    """Write a unit. The record is written last: a unit without a matching record does not exist.

    ``imported`` : the missing shards of imported features, which ``result`` lacks.

    Any number of processes may write the same unit at the same time: each object is replaced as a whole, by
    the same bytes. Raises :class:`StoreChangedError` if the unit partly exists and its recordings have
    changed since, :class:`StoreBusyError` if another build has started.
    """
    work = result.work
    unit, existing = work.unit, work.existing
    if existing is not None and result.fingerprint != existing.fingerprint:
        raise StoreChangedError(
            f"recordings of {unit.dataset} changed while features were added to unit {unit.index}; "
            f"run the same command again"
        )
    _announce(place, work, imported, encoder)
    objects = _kept_objects(work)
    with write_group(place) as group:
        for (feature, view), values in (*result.shards.items(), *imported.shards.items()):
            with stages.measure("encode"):
                encoded = encoder.encode(feature, values)
            for layer, data in enumerate(encoded):
                fence.require()
                name = shard_path(unit.dataset, feature, view, unit.index, layer)
                objects[name] = _write(group, name, data, stages)
        statistics_name = unit_statistics_path(unit.dataset, unit.index)
        with stages.measure("encode"):
            found = _statistics(place, result, imported)
            data = parquet_bytes(sort_statistics(found, work.spec))
        objects[statistics_name] = _write(group, statistics_name, data, stages)
        fence.require()
        with stages.measure("store"):
            group.finish()
    record = UnitRecord(
        format_version=format_version(work.spec),
        feature_version=unit.feature_version,
        dataset=unit.dataset,
        unit=unit.index,
        fingerprint=result.fingerprint,
        spec=work.spec,
        clips=tuple(result.clips),
        parameters=_by_view(work, result.parameters, existing.parameters if existing else ()),
        keys=_by_view(work, result.keys, existing.keys if existing else ()),
        samples=_by_view(work, result.samples, existing.samples or () if existing else ())
        if work.spec.own_frames
        else None,
        valid_frames=_by_view(work, result.valid_frames, existing.valid_frames if existing else ()),
        imported_frames=imported.frames or None,
        objects=dict(sorted(objects.items())),
    )
    fence.require()
    with stages.measure("store"):
        write_document(place, unit_record_path(unit.dataset, unit.index), record)
    return record


def _announce(place: Place, work: UnitWork, imported: ImportedPart, encoder: ShardEncoder) -> None:
    """Say in the record that is about to be replaced what its imported shards will be.

    A build that is stopped between them and the new record would lose their values otherwise, as it
    overwrites what the next one takes over.
    """
    before, unit = work.before, work.unit
    if before is None or work.existing is not None or not before.imported_frames:
        return
    announced = dict(before.announced or {})
    for (feature, view), values in imported.shards.items():
        if not view:
            for layer, data in enumerate(encoder.encode(feature, values)):
                name = shard_path(unit.dataset, feature, view, unit.index, layer)
                announced[name] = (*announced.get(name, ()), StoredObject.of(data))
    record = before.model_copy(update={"fingerprint": "", "announced": announced})
    write_document(place, unit_record_path(unit.dataset, unit.index), record)


def _kept_objects(work: UnitWork) -> dict[str, StoredObject]:
    """The objects of the existing record without the shards that are about to be replaced."""
    if work.existing is None:
        return {}
    replaced = {(feature, str(view)) for feature, view, _ in work.missing}
    return {
        name: stored
        for name, stored in work.existing.objects.items()
        if not is_shard(name) or (name.split("/")[1], name.split("/")[3]) not in replaced
    }


def _write(group: WriteGroup, name: str, data: bytes, stages: Stages) -> StoredObject:
    with stages.measure("hash"):
        stored = StoredObject.of(data)
    with stages.measure("store"):
        group.write(name, data)
    return stored


def _statistics(place: Place, result: UnitResult, imported: ImportedPart) -> pa.Table:
    """Statistics of the whole unit: those that exist, and those that were computed or imported."""
    work, new = result.work, [result.moments.statistics(), imported.statistics]
    if work.existing is None:
        return pa.concat_tables(new)
    name = unit_statistics_path(work.unit.dataset, work.unit.index)
    # A feature that is replaced may have had more coefficients.
    most = max((*work.spec.coefficients.values(), *work.existing.spec.coefficients.values()))
    existing = _without(read_statistics(place, name, work.spec, most), set(work.missing))
    return pa.concat_tables([existing, *new])


def _without(table: pa.Table, missing: set[tuple[str, int, str]]) -> pa.Table:
    """Only the rows of existing shards: another run of this unit may already have added the missing ones."""
    parts = {(feature, view) for feature, view, _ in missing}
    rows = zip(table["feature"].to_pylist(), table["view"].to_pylist(), strict=True)
    return table.filter(pa.array([row not in parts for row in rows], pa.bool_()))


def _by_view(
    work: UnitWork, computed: Mapping[str, Sequence[Value]], existing: Sequence[tuple[Value, ...]]
) -> tuple[tuple[Value, ...], ...]:
    """One of a record's tables [view][clip]: the computed values of a view, else the existing ones."""
    names = work.existing.spec.view_names if work.existing else ()
    old = dict(zip(names, existing, strict=False))  # a record of format version 3 has no samples
    return tuple(tuple(computed[name]) if name in computed else old[name] for name in work.spec.view_names)
