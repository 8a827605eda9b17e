"""What a build keeps and what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.plan import Unit
from featurestore.records import (
    datasets_on_disk,
    finished_document,
    intact,
    read_corpus_record,
    read_unit_records,
)
from pipelines.pipeline import FEATURE_VERSION
from schemas.errors import StoreUnfinishedError


@dataclass(frozen=True)
class Worklist:
    """The difference between the corpora and a store.

    ``corpora``  : every corpus that the store will hold.
    ``kept``     : (corpus, unit) → record of units that stand as they should.
    ``todo``     : units to compute.
    ``document`` : of the finished store as it stands, or None.
    ``altered``  : whether objects that ``document`` names will be changed or removed.
    """

    corpora: Mapping[str, CorpusRecord]
    kept: Mapping[tuple[str, int], UnitRecord]
    todo: tuple[Unit, ...]
    document: StoreDocument | None
    altered: bool

    @property
    def up_to_date(self) -> StoreDocument | None:
        """The store's document, where nothing is left to do."""
        if self.document is None or self.todo or self.altered:
            return None
        return self.document if set(self.document.datasets) == set(self.corpora) else None

    def records(self, built: Sequence[UnitRecord]) -> dict[str, list[UnitRecord]]:
        """Corpus → the records of all its units in order, kept and built."""
        every = {**self.kept, **{(record.dataset, record.unit): record for record in built}}
        return {name: [every[key] for key in sorted(every) if key[0] == name] for name in self.corpora}


def make_worklist(
    store: Path,
    planned: Mapping[str, tuple[Unit, ...]],
    described: Mapping[str, CorpusRecord],
    *,
    check: bool,
) -> Worklist:
    """Compare the corpora asked for (their units and descriptions) with the store; others stay as they are.

    ``check`` hashes the shards of units that are kept, and not only their sizes. Raises
    :class:`StoreUnfinishedError` where a corpus that is not asked for is damaged, only partly built, or of
    another version of the pipeline.
    """
    standing = read_unit_records(store)
    kept: dict[tuple[str, int], UnitRecord] = {}
    todo: list[Unit] = []
    changed: set[str] = set()
    for dataset, units in planned.items():
        on_disk = read_corpus_record(store, dataset)
        if on_disk != described[dataset] or len(standing.get(dataset, {})) > len(units):
            changed.add(dataset)
        for unit in units:
            record = standing.get(dataset, {}).get(unit.index)
            if (
                record is not None
                and record.fingerprint == unit.fingerprint
                and intact(store, record, check=check)
            ):
                kept[dataset, unit.index] = record
            else:
                todo.append(unit)
                changed.add(dataset)
    corpora = dict(described)
    for dataset in datasets_on_disk(store) - planned.keys():
        corpora[dataset], records = _left_alone(store, dataset, standing.get(dataset, {}), check=check)
        kept.update({(dataset, index): record for index, record in records.items()})
    document = finished_document(store)
    before = set(document.datasets) if document else set()
    return Worklist(corpora, kept, tuple(todo), document, altered=bool(before & changed))


def _left_alone(
    store: Path, dataset: str, records: dict[int, UnitRecord], *, check: bool
) -> tuple[CorpusRecord, dict[int, UnitRecord]]:
    """A corpus that is not asked for, once it is sure that all of it is there."""
    corpus = read_corpus_record(store, dataset)
    fingerprints = tuple(records[index].fingerprint for index in sorted(records))
    if corpus is None or fingerprints != corpus.units:
        raise StoreUnfinishedError(
            f"{dataset} is only partly built in {store}; add it to --datasets to finish it"
        )
    if any(record.feature_version != FEATURE_VERSION for record in records.values()):
        raise StoreUnfinishedError(
            f"{dataset} in {store} was built by another version of the pipeline; add it to --datasets "
            f"to build it anew"
        )
    if not all(intact(store, record, check=check) for record in records.values()):
        raise StoreUnfinishedError(f"{dataset} is damaged in {store}; add it to --datasets to repair it")
    return corpus, records
