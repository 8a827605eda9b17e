"""What a build keeps and what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.plan import Unit
from featurestore.records import finished_document, intact, read_corpus_records, read_unit_records
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
    feature_version: int,
) -> Worklist:
    """Compare ``planned`` units of the corpora asked for with the store; other corpora stay as they are.

    Raises :class:`StoreUnfinishedError` where a corpus that is not asked for is only partly built, or by
    another version of the pipeline.
    """
    standing = read_unit_records(store)
    on_disk = read_corpus_records(store)
    kept: dict[tuple[str, int], UnitRecord] = {}
    todo: list[Unit] = []
    for dataset, units in planned.items():
        for unit in units:
            record = standing.get(dataset, {}).get(unit.index)
            if record is not None and record.fingerprint == unit.fingerprint and intact(store, record):
                kept[dataset, unit.index] = record
            else:
                todo.append(unit)
    for dataset in on_disk.keys() - planned.keys():
        units_on_disk = standing.get(dataset, {})
        if sum(len(record.clips) for record in units_on_disk.values()) != on_disk[dataset].clips:
            raise StoreUnfinishedError(
                f"{dataset} is only partly built in {store}; add it to --datasets to finish it"
            )
        if any(record.feature_version != feature_version for record in units_on_disk.values()):
            raise StoreUnfinishedError(
                f"{dataset} in {store} was built by another version of the pipeline; add it to --datasets "
                f"to build it anew"
            )
        kept.update({(dataset, index): record for index, record in units_on_disk.items()})
    document = finished_document(store)
    before = set(document.datasets) if document else set()
    changed = {unit.dataset for unit in todo} | {
        dataset
        for dataset in planned
        if len(standing.get(dataset, {})) > len(planned[dataset])
        or on_disk.get(dataset) != described[dataset]
    }
    return Worklist(
        corpora={**{d: on_disk[d] for d in on_disk.keys() - planned.keys()}, **described},
        kept=kept,
        todo=tuple(todo),
        document=document,
        altered=bool(before & changed),
    )
