"""The last step of a build: writes tables, consolidated metadata and finally ``store.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from featurestore.format.arrays import hierarchy
from featurestore.format.documents import (
    MOST_DOCUMENT,
    CorpusRecord,
    DatasetEntry,
    StoredObject,
    StoreDocument,
    UnitRecord,
    broken_seal,
    store_digest,
    write_document,
)
from featurestore.format.layout import (
    MANIFEST,
    STATISTICS,
    STORE_JSON,
    VIEWS,
    corpus_record_path,
    format_version,
    unit_record_path,
    unit_statistics_path,
)
from featurestore.format.manifest import ManifestRow, manifest_table
from featurestore.format.seal import unseal
from featurestore.format.statistics import STATISTICS_SCHEMA, read_statistics
from featurestore.format.sweep import sweep, withdraw
from featurestore.format.tables import parquet_bytes
from featurestore.places.place import REMOTE_THREADS, Place
from schemas.clip import Status
from schemas.spec import StoreSpec
from schemas.tables import imported_column, views_schema

LIBRARIES = (
    "torch",
    "torchaudio",
    "numpy",
    "soundfile",
    "soxr",
    "zarr",
    "numcodecs",
    "pyarrow",
    "ser-features",
)


def finalise(
    place: Place,
    spec: StoreSpec,
    feature_version: int,
    corpora: Mapping[str, CorpusRecord],
    records: Mapping[str, Sequence[UnitRecord]],
    part_of: str | None = None,
) -> StoreDocument:
    """Turn the units of ``records`` (corpus → its units in order) into a valid store; returns its document.

    ``part_of`` : digest of the store that this one is a part of.
    """
    ordered = {dataset: records[dataset] for dataset in sorted(records)}
    withdraw(place)
    small = {
        MANIFEST: parquet_bytes(manifest_table(_clips(ordered))),
        VIEWS: parquet_bytes(_views(spec, ordered)),
        STATISTICS: parquet_bytes(_statistics(place, spec, ordered)),
        **hierarchy(spec, corpora),
    }
    present = place.sizes()
    for name, data in small.items():
        write_if_changed(place, name, data, present)
    objects = {name: StoredObject.of(data) for name, data in small.items()}
    for units in ordered.values():
        for record in units:
            objects.update(record.objects)
    names = [corpus_record_path(dataset) for dataset in ordered]
    names += [unit_record_path(dataset, unit.unit) for dataset, units in ordered.items() for unit in units]
    with ThreadPoolExecutor(REMOTE_THREADS) as pool:
        objects.update(zip(names, pool.map(lambda name: _record_object(place, name), names), strict=True))
    objects = dict(sorted(objects.items()))
    sweep(place, ordered, objects)
    datasets = {name: _entry(corpora[name], units) for name, units in ordered.items()}
    document = StoreDocument(
        format_version=format_version(spec),
        digest=store_digest(spec, feature_version, datasets, objects),
        part_of=part_of,
        spec=spec,
        spec_digest=spec.digest,
        feature_version=feature_version,
        datasets=datasets,
        objects=objects,
        libraries={name: version(name) for name in _libraries(spec)},
    )
    write_document(place, STORE_JSON, document)
    return document


def _libraries(spec: StoreSpec) -> tuple[str, ...]:
    """Libraries that numbers depend on; a machine that grows other features than theirs may lack one."""
    needed = {"transformers": any(feature.needs_transformers for feature in spec.encoders)}
    needed["opensmile"] = bool(spec.opensmile)
    return (*LIBRARIES, *(name for name, wanted in needed.items() if wanted and find_spec(name)))


def _record_object(place: Place, name: str) -> StoredObject:
    """Size and hash of a record. Raises :class:`StoreDamagedError` if its seal is broken."""
    data = place.read(name, MOST_DOCUMENT)
    if not name.endswith("/corpus.json") and not unseal(data)[1]:
        raise broken_seal(f"{place}/{name}")
    return StoredObject.of(data)


def write_if_changed(place: Place, name: str, data: bytes, present: Mapping[str, int]) -> None:
    """Write an object unless it already has this content. ``present`` : name → size of existing objects."""
    if present.get(name) != len(data) or place.read(name, len(data)) != data:
        place.write(name, data)


def _clips(records: Mapping[str, Sequence[UnitRecord]]) -> Iterator[ManifestRow]:
    return (clip for units in records.values() for record in units for clip in record.clips)


def _views(spec: StoreSpec, records: Mapping[str, Sequence[UnitRecord]]) -> pa.Table:
    kinds = ("original", *(view.kind for view in spec.views))
    rows: list[dict[str, Any]] = [
        {
            "clip_id": clip.clip_id,
            "dataset": dataset,
            "row": clip.row,
            "view": view,
            "name": name,
            "kind": kinds[view],
            "parameter": record.parameters[view][position],
            "key": record.keys[view][position],
            "samples": record.samples[view][position] if record.samples else None,
            "valid_frames": record.valid_frames[view][position],
            **_imported_frames(record, view, position),
        }
        for dataset, units in records.items()
        for record in units
        for position, clip in enumerate(record.clips)
        for view, name in enumerate(spec.view_names)
    ]
    return pa.Table.from_pylist(rows, schema=views_schema(spec))


def _imported_frames(record: UnitRecord, view: int, position: int) -> dict[str, int]:
    """Frames of the imported features of a clip; 0 but for the original view."""
    frames = record.imported_frames or {}
    return {imported_column(name): 0 if view else counts[position] for name, counts in frames.items()}


def _statistics(place: Place, spec: StoreSpec, records: Mapping[str, Sequence[UnitRecord]]) -> pa.Table:
    names = [unit_statistics_path(dataset, unit.unit) for dataset, units in records.items() for unit in units]
    with ThreadPoolExecutor(REMOTE_THREADS) as pool:
        tables = list(pool.map(lambda name: read_statistics(place, name, spec), names))
    return pa.concat_tables(tables) if tables else STATISTICS_SCHEMA.empty_table()


def _entry(corpus: CorpusRecord, units: Sequence[UnitRecord]) -> DatasetEntry:
    clips = [clip for record in units for clip in record.clips]
    return DatasetEntry(
        title=corpus.title,
        licence=corpus.licence,
        home_page=corpus.home_page,
        rows=len(corpus.rows),
        clips=len(clips),
        bad=sum(clip.status is Status.BAD for clip in clips),
        ignored=len(corpus.ignored),
        units=len(units),
    )
