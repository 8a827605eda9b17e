"""A part of a store: exactly the store that a build of the smaller specification makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.format.documents import (
    CorpusRecord,
    StoredObject,
    StoreDocument,
    UnitRecord,
    parse_document,
    write_document,
)
from featurestore.format.layout import (
    corpus_record_path,
    format_version,
    shard_path,
    unit_record_path,
    unit_statistics_path,
)
from featurestore.format.statistics import STATISTICS_SCHEMA
from featurestore.format.tables import parquet_bytes, read_table
from featurestore.places.place import REMOTE_THREADS, Place
from featurestore.progress import Progress
from featurestore.sharing.hashed import read_hashed
from featurestore.sharing.moving import move_objects
from featurestore.sharing.part_place import PartPlace
from featurestore.sharing.selection import PartSelection
from schemas.errors import StoreDamagedError
from schemas.spec import StoreSpec


def take_part(
    place: Place, document: StoreDocument, selection: PartSelection, progress: Progress
) -> tuple[Place, StoreDocument]:
    """Take the part of a store that ``selection`` names; returns its place and document.

    If the selection is the whole store, the arguments are returned. Otherwise only the records and statistics
    of the selected corpora are read, verified and held in memory (about 2 KiB per clip). Tables and Zarr
    metadata are derived from them, and the names of shards get the new indices of their views and layers.

    Raises :class:`UsageError` as :class:`PartSelection` does, and :class:`StoreDamagedError`.
    """
    spec, datasets = selection.spec_of(document), selection.datasets_of(document)
    if spec == document.spec and datasets == sorted(document.datasets):
        return place, document
    part = PartPlace(place, _shards(document, spec, datasets))
    units = [(name, unit) for name in datasets for unit in range(document.datasets[name].units)]
    with move_objects(progress, "read records", len(units), "units") as mover:

        def take_one(key: tuple[str, int]) -> UnitRecord:
            record = _take_unit(part, place, document, spec, *key)
            mover.advance(1)
            return record

        units_taken = mover.each(take_one, units, REMOTE_THREADS)
    records = {name: [record for record in units_taken if record.dataset == name] for name in datasets}
    corpora: dict[str, CorpusRecord] = {}
    for name in datasets:
        path = corpus_record_path(name)
        data = read_hashed(place, path, document.objects[path])
        corpora[name] = parse_document(data, f"{place}/{path}", CorpusRecord)
        if corpora[name].dataset != name:
            raise _unfit(place, path)
        part.write(path, data)
    return part, _finish(part, document, spec, corpora, records)


def _shards(document: StoreDocument, spec: StoreSpec, datasets: list[str]) -> dict[str, str]:
    """Name in the part → name in the store."""
    return {
        new: old
        for dataset in datasets
        for unit in range(document.datasets[dataset].units)
        for new, old in _shards_of_unit(document.spec, spec, dataset, unit)
    }


def _shards_of_unit(whole: StoreSpec, spec: StoreSpec, dataset: str, unit: int) -> Iterator[tuple[str, str]]:
    """Name in the part, and name in the store, of every shard of a unit."""
    views = [whole.view_names.index(name) for name in spec.view_names]
    for feature, layers in _layers(whole, spec).items():
        for (new, old), (layer, old_layer) in product(enumerate(views), enumerate(layers)):
            yield (
                shard_path(dataset, feature, new, unit, layer),
                shard_path(dataset, feature, old, unit, old_layer),
            )


def _layers(whole: StoreSpec, spec: StoreSpec) -> dict[str, list[int]]:
    """Feature of the part → positions of its layers among those of the store."""
    stored = {encoder.name: encoder.all_layers for encoder in whole.encoders}
    kept = {encoder.name: encoder.all_layers for encoder in spec.encoders}
    imported = {feature.name: list(range(feature.layers)) for feature in spec.imported}
    return imported | {
        feature.name: [stored[feature.name].index(layer) for layer in kept[feature.name]]
        if feature.name in kept
        else [0]
        for feature in spec.features
        if feature.name not in imported
    }


def _take_unit(
    part: PartPlace, place: Place, document: StoreDocument, spec: StoreSpec, dataset: str, unit: int
) -> UnitRecord:
    """Write the reduced record and statistics of a unit."""
    path, statistics = unit_record_path(dataset, unit), unit_statistics_path(dataset, unit)
    data = read_hashed(place, path, document.objects[path])
    record = parse_document(data, f"{place}/{path}", UnitRecord)
    _require_fit(record, document, dataset, unit, f"{place}/{path}")
    old = {name: index for index, name in enumerate(document.spec.view_names)}
    views = [old[name] for name in spec.view_names]
    table = _statistics(place, statistics, document, spec, views)
    data = parquet_bytes(table)
    part.write(statistics, data)
    objects = {statistics: StoredObject.of(data)}
    for name, source in _shards_of_unit(document.spec, spec, dataset, unit):
        objects[name] = document.objects[source]
    reduced = record.model_copy(
        update={
            "format_version": format_version(spec),
            "spec": spec,
            "parameters": tuple(record.parameters[view] for view in views),
            "keys": tuple(record.keys[view] for view in views),
            "samples": tuple(record.samples[view] for view in views)
            if record.samples and spec.own_frames
            else None,
            "valid_frames": tuple(record.valid_frames[view] for view in views),
            "imported_frames": {one.name: (record.imported_frames or {})[one.name] for one in spec.imported}
            or None,
            "objects": dict(sorted(objects.items())),
        }
    )
    write_document(part, path, reduced)
    return reduced


def _require_fit(record: UnitRecord, document: StoreDocument, dataset: str, unit: int, source: str) -> None:
    views, clips = len(document.spec.view_names), len(record.clips)
    samples = () if record.samples is None else (record.samples,)
    by_view = (record.parameters, record.keys, record.valid_frames, *samples)
    fits = (
        (record.dataset, record.unit) == (dataset, unit)
        and record.spec == document.spec
        and record.feature_version == document.feature_version
        and all(len(table) == views and all(len(row) == clips for row in table) for table in by_view)
        and all(len(frames) == clips for frames in (record.imported_frames or {}).values())
    )
    if not fits:
        raise _unfit(source)


def _statistics(
    place: Place, name: str, document: StoreDocument, spec: StoreSpec, views: list[int]
) -> pa.Table:
    """Statistics of the selected features, layers and views, with the new view indices."""
    whole = document.spec
    rows = whole.storage.shard_clips * len(whole.view_names) * len(whole.features)
    data = read_hashed(place, name, document.objects[name])
    most = max(whole.coefficients.values())
    table = read_table(data, name, STATISTICS_SCHEMA, rows, exact=False, most_values=most)
    wanted = pc.and_(
        pc.is_in(table["view"], pa.array(views, pa.int64())),
        pc.is_in(table["feature"], pa.array(list(spec.coefficients), pa.string())),
    )
    table = _take_layers(table.filter(wanted), whole, spec).combine_chunks()
    new = pc.index_in(table["view"], pa.array(views, pa.int64())).cast(pa.int64())
    column = STATISTICS_SCHEMA.get_field_index("view")
    return table.set_column(column, STATISTICS_SCHEMA.field(column), new).combine_chunks()


def _take_layers(table: pa.Table, whole: StoreSpec, spec: StoreSpec) -> pa.Table:
    """The statistics with only the coefficients of the layers that the part keeps."""
    kept = {
        name: layers
        for name, layers in _layers(whole, spec).items()
        if len(layers) < whole.layer_counts[name]
    }
    if not kept:
        return table
    rows = {
        name: np.arange(whole.coefficients[name]).reshape(whole.layer_counts[name], -1)[layers].ravel()
        for name, layers in kept.items()
    }
    features = table["feature"].to_pylist()
    for column in ("mean", "m2"):
        index = STATISTICS_SCHEMA.get_field_index(column)
        field = STATISTICS_SCHEMA.field(index)
        values = [
            np.asarray(value)[rows[feature]].tolist() if feature in rows else value
            for feature, value in zip(features, table[column].to_pylist(), strict=True)
        ]
        table = table.set_column(index, field, pa.array(values, field.type))
    return table


def _finish(
    part: PartPlace,
    document: StoreDocument,
    spec: StoreSpec,
    corpora: Mapping[str, CorpusRecord],
    records: Mapping[str, list[UnitRecord]],
) -> StoreDocument:
    from featurestore.compute.finalise import finalise

    try:
        made = finalise(part, spec, document.feature_version, corpora, records, part_of=document.digest)
    except (LookupError, TypeError, ValueError, pa.ArrowException) as error:  # records that no build wrote
        first = " ".join(str(error)[:200].split())
        raise StoreDamagedError(
            f"the records of {part} do not form valid tables ({first}); do not use this store"
        ) from error
    return made.model_copy(update={"libraries": document.libraries})


def _unfit(*where: object) -> StoreDamagedError:
    path = "/".join(map(str, where))
    return StoreDamagedError(f"{path} does not fit the store.json of its store; do not use this store")
