"""The last step of a build: tables, consolidated metadata, and ``store.json`` at the very end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.arrays import hierarchy
from featurestore.commit import parquet_bytes
from featurestore.documents import (
    CorpusRecord,
    DatasetEntry,
    StoredObject,
    StoreDocument,
    UnitRecord,
    store_digest,
    write_document,
)
from featurestore.durable import sync_folder, write_durably, write_if_other
from featurestore.layout import (
    MANIFEST,
    PARTIAL_SUFFIX,
    RECORDS,
    STATISTICS,
    STORE_JSON,
    VIEWS,
    corpus_record_path,
    unit_record_path,
    unit_statistics_path,
)
from featurestore.statistics import STATISTICS_SCHEMA
from schemas.clip import MANIFEST_SCHEMA, VIEWS_SCHEMA, Status
from schemas.spec import StoreSpec

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
    store: Path,
    spec: StoreSpec,
    feature_version: int,
    corpora: Mapping[str, CorpusRecord],
    records: Mapping[str, Sequence[UnitRecord]],
) -> StoreDocument:
    """Make the units of ``records`` (corpus → its units in order) a valid store; returns its document."""
    ordered = {dataset: records[dataset] for dataset in sorted(records)}
    withdraw(store)
    write_durably(store / MANIFEST, parquet_bytes(_manifest(ordered)))
    write_durably(store / VIEWS, parquet_bytes(_views(spec, ordered)))
    write_durably(store / STATISTICS, parquet_bytes(_statistics(store, ordered)))
    zarr_objects = hierarchy(spec, corpora)
    for name, data in zarr_objects.items():
        write_if_other(store / name, data)
    objects: dict[str, StoredObject] = {}
    for units in ordered.values():
        for record in units:
            objects.update(record.objects)
    metadata = [MANIFEST, VIEWS, STATISTICS, *zarr_objects]
    for dataset, units in ordered.items():
        metadata.append(corpus_record_path(dataset))
        metadata += [unit_record_path(dataset, record.unit) for record in units]
    objects.update({name: StoredObject.of(store / name) for name in metadata})
    objects = dict(sorted(objects.items()))
    sweep(store, ordered, objects)
    sync_folder(store)
    datasets = {name: _entry(corpora[name], units) for name, units in ordered.items()}
    document = StoreDocument(
        digest=store_digest(spec, feature_version, datasets, objects),
        spec=spec,
        spec_digest=spec.digest,
        feature_version=feature_version,
        datasets=datasets,
        objects=objects,
        libraries={name: version(name) for name in LIBRARIES},
    )
    write_document(store / STORE_JSON, document)
    return document


def withdraw(store: Path) -> None:
    """Take ``store.json`` away before anything that it names changes: from now on readers are refused."""
    (store / STORE_JSON).unlink(missing_ok=True)
    sync_folder(store)


def _manifest(records: Mapping[str, Sequence[UnitRecord]]) -> pa.Table:
    rows = [clip for units in records.values() for record in units for clip in record.clips]
    return pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)


def _views(spec: StoreSpec, records: Mapping[str, Sequence[UnitRecord]]) -> pa.Table:
    kinds = ("original", *(view.kind for view in spec.views))
    rows: list[dict[str, Any]] = [
        {
            "clip_id": clip["clip_id"],
            "dataset": dataset,
            "row": clip["row"],
            "view": view,
            "name": name,
            "kind": kinds[view],
            "parameter": record.parameters[view][position],
            "key": record.keys[view][position],
            "valid_frames": record.valid_frames[view][position],
        }
        for dataset, units in records.items()
        for record in units
        for position, clip in enumerate(record.clips)
        for view, name in enumerate(spec.view_names)
    ]
    return pa.Table.from_pylist(rows, schema=VIEWS_SCHEMA)


def _statistics(store: Path, records: Mapping[str, Sequence[UnitRecord]]) -> pa.Table:
    tables = [
        pq.read_table(store / unit_statistics_path(dataset, record.unit), schema=STATISTICS_SCHEMA)
        for dataset, units in records.items()
        for record in units
    ]
    return pa.concat_tables(tables) if tables else STATISTICS_SCHEMA.empty_table()


def sweep(store: Path, datasets: Iterable[str], objects: Collection[str]) -> None:
    """Remove what an interrupted or older build left in the store's own folders."""
    for folder in (store / RECORDS, *(store / dataset for dataset in datasets)):
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(store).as_posix() not in objects:
                path.unlink()
    for partial in store.glob(f"*{PARTIAL_SUFFIX}"):
        partial.unlink()


def _entry(corpus: CorpusRecord, units: Sequence[UnitRecord]) -> DatasetEntry:
    clips = [clip for record in units for clip in record.clips]
    return DatasetEntry(
        title=corpus.title,
        licence=corpus.licence,
        home_page=corpus.home_page,
        clips=len(clips),
        bad=sum(clip["status"] == Status.BAD for clip in clips),
        ignored=len(corpus.ignored),
        units=len(units),
    )
