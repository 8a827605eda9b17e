"""Reads what a store already holds: finished units, corpora and ``store.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from featurestore.format.documents import (
    MOST_DOCUMENT,
    CorpusRecord,
    StoredObject,
    StoreDocument,
    UnitRecord,
    parse_document,
    read_document,
)
from featurestore.format.layout import RECORDS, STORE_JSON, corpus_record_path, is_shard
from featurestore.places.place import REMOTE_THREADS, Place
from schemas.errors import StoreDamagedError

T = TypeVar("T", CorpusRecord, UnitRecord)


class ExistingStore:
    """The objects that are at a place, from one listing, and the content of its documents.

    A record that ``store.json`` names must have the hash given there: damaged JSON is mostly still valid
    JSON with other values.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.present: Mapping[str, int] = place.sizes()
        document = self.document()
        sound = document is not None and document.digest == document.computed_digest()
        self._named = document.objects if document is not None and sound else {}

    def unit_records(self) -> dict[str, dict[int, UnitRecord]]:
        """Corpus → unit → record, of all units with a sound record; the others count as not built."""
        names = [name for name in sorted(self.present) if _is_unit_record(name)]
        records: dict[str, dict[int, UnitRecord]] = {}
        with ThreadPoolExecutor(REMOTE_THREADS) as pool:
            for name, record in zip(names, pool.map(self._unit_record, names), strict=True):
                _, dataset, file = name.split("/")
                if record is not None and (record.dataset, f"{record.unit:05d}.json") == (dataset, file):
                    records.setdefault(dataset, {})[record.unit] = record
        return records

    def corpus_record(self, dataset: str) -> CorpusRecord | None:
        """Description and rows of a corpus of the store; None if there is no readable record."""
        return self._record(corpus_record_path(dataset), CorpusRecord)

    def row_ids(self, dataset: str) -> Sequence[str | None]:
        """The clip id of each row, from the corpus's record or, if that is lost, from its units' records."""
        record = self.corpus_record(dataset)
        if record is not None:
            return record.rows
        units = self.unit_records().get(dataset, {})
        ids = {clip.row: clip.clip_id for unit in units.values() for clip in unit.clips}
        return [ids.get(row) for row in range(max(ids, default=-1) + 1)]

    def document(self) -> StoreDocument | None:
        """``store.json``; None if it is absent or damaged."""
        return read_store_document(self.place)

    def finished_document(self) -> StoreDocument | None:
        """``store.json`` if all tables and metadata match it; None if the store must be finalised again."""
        document = self.document()
        if document is None or document.digest != document.computed_digest():
            return None
        small = {name: entry for name, entry in document.objects.items() if not is_shard(name)}
        return document if self._match(small) else None

    def datasets(self) -> set[str]:
        """Every corpus that has records in the store or that ``store.json`` names."""
        document = self.document()
        named = set(document.datasets) if document else set()
        return named | {name.split("/")[1] for name in self.present if name.startswith(f"{RECORDS}/")}

    def is_intact(self, record: UnitRecord, *, check: bool) -> bool:
        """Whether a unit's objects are intact. Shards are compared by size, with ``check`` by hash; all
        other objects by hash.
        """
        by_hash = {name: entry for name, entry in record.objects.items() if check or not is_shard(name)}
        sizes_match = all(self.present.get(name) == entry.bytes for name, entry in record.objects.items())
        return sizes_match and self._match(by_hash)

    def _match(self, objects: Mapping[str, StoredObject]) -> bool:
        """Whether the objects have the given sizes and hashes."""
        if any(self.present.get(name) != entry.bytes for name, entry in objects.items()):
            return False
        try:
            with ThreadPoolExecutor(REMOTE_THREADS) as pool:
                found = pool.map(lambda name: StoredObject.at(self.place, name), objects)
                return all(entry == wanted for entry, wanted in zip(found, objects.values(), strict=True))
        except (FileNotFoundError, StoreDamagedError):
            return False

    def _unit_record(self, name: str) -> UnitRecord | None:
        return self._record(name, UnitRecord)

    def _record(self, name: str, kind: type[T]) -> T | None:
        try:
            data = self.place.read(name, MOST_DOCUMENT)
            if name in self._named and StoredObject.of(data) != self._named[name]:
                return None
            return parse_document(data, f"{self.place}/{name}", kind)
        except (FileNotFoundError, StoreDamagedError):
            return None


def read_store_document(place: Place) -> StoreDocument | None:
    """``store.json``; None if it is absent or damaged."""
    try:
        return read_document(place, STORE_JSON, StoreDocument)
    except (FileNotFoundError, StoreDamagedError):
        return None


def _is_unit_record(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return folder.startswith(f"{RECORDS}/") and folder.count("/") == 1 and suffix == "json" and stem.isdigit()
