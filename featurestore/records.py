"""What stands in a store on disk, read back: finished units, corpora, the store's document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from featurestore.documents import CorpusRecord, StoredObject, StoreDocument, UnitRecord, read_document
from featurestore.durable import sha256_of
from featurestore.layout import RECORDS, STORE_JSON, corpus_record_path, is_shard
from schemas.errors import StoreDamagedError


def read_unit_records(store: Path) -> dict[str, dict[int, UnitRecord]]:
    """Corpus → unit → record, of all units whose record is readable; a damaged one counts as not built."""
    records: dict[str, dict[int, UnitRecord]] = {}
    for path in sorted((store / RECORDS).glob("*/*.json")):
        if path.stem.isdigit():
            try:
                record = read_document(path, UnitRecord)
            except StoreDamagedError:
                continue
            if (record.dataset, record.unit) == (path.parent.name, int(path.stem)):
                records.setdefault(record.dataset, {})[record.unit] = record
    return records


def read_corpus_record(store: Path, dataset: str) -> CorpusRecord | None:
    """Description and layout of a corpus of the store; None where there is none that is readable."""
    try:
        return read_document(store / corpus_record_path(dataset), CorpusRecord)
    except (FileNotFoundError, StoreDamagedError):
        return None


def datasets_on_disk(store: Path) -> set[str]:
    """Every corpus of which the store holds records, or that its ``store.json`` names."""
    try:
        named = set(read_document(store / STORE_JSON, StoreDocument).datasets)
    except (FileNotFoundError, StoreDamagedError):
        named = set()
    return named | {folder.name for folder in (store / RECORDS).glob("*") if folder.is_dir()}


def finished_document(store: Path) -> StoreDocument | None:
    """``store.json`` where it is there and true of all tables and metadata, else None: finalise again."""
    try:
        document = read_document(store / STORE_JSON, StoreDocument)
    except (FileNotFoundError, StoreDamagedError):
        return None
    small = {name: entry for name, entry in document.objects.items() if not is_shard(name)}
    return document if document.digest == document.computed_digest() and _all_there(store, small) else None


def intact(store: Path, record: UnitRecord, *, check: bool) -> bool:
    """Whether all objects of a unit are there: shards by size or, to ``check``, by hash; the rest by hash."""
    if not _all_there(store, record.objects):
        return False
    return not check or all(sha256_of(store / name) == entry.sha256 for name, entry in record.objects.items())


def _all_there(store: Path, objects: Mapping[str, StoredObject]) -> bool:
    for name, entry in objects.items():
        try:
            if (store / name).stat().st_size != entry.bytes:
                return False
            if not is_shard(name) and sha256_of(store / name) != entry.sha256:
                return False
        except FileNotFoundError:
            return False
    return True
