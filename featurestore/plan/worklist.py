"""What a build keeps and what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from featurestore.format.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.plan.growth import UnitWork, work_on
from featurestore.plan.records import Standing
from featurestore.plan.units import Unit
from pipelines.version import FEATURE_VERSION
from schemas.errors import StoreUnfinishedError
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class Worklist:
    """The difference between the corpora and a store.

    ``corpora``  : every corpus that the store will hold.
    ``kept``     : (corpus, unit) → record of units that stand as they should.
    ``todo``     : units that lack something.
    ``document`` : of the finished store as it stands, or None.
    ``altered``  : whether objects that ``document`` names will be changed or removed.
    """

    corpora: Mapping[str, CorpusRecord]
    kept: Mapping[tuple[str, int], UnitRecord]
    todo: tuple[UnitWork, ...]
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
    standing: Standing,
    spec: StoreSpec,
    planned: Mapping[str, tuple[Unit, ...]],
    described: Mapping[str, CorpusRecord],
    *,
    check: bool,
) -> Worklist:
    """Compare the corpora asked for (their units and descriptions) with the store; others stay as they are.

    ``check`` hashes the shards of units that are kept, and not only their sizes. Raises
    :class:`StoreUnfinishedError` where a corpus that is not asked for is damaged, only partly built, of
    another version of the pipeline, or lacks features or views of ``spec``.
    """
    records = standing.unit_records()
    kept: dict[tuple[str, int], UnitRecord] = {}
    todo: list[UnitWork] = []
    changed: set[str] = set()
    for dataset, units in planned.items():
        stand = records.get(dataset, {})
        if standing.corpus_record(dataset) != described[dataset] or len(stand) > len(units):
            changed.add(dataset)
        for unit in units:
            record = stand.get(unit.index)
            usable = record is not None and record.fingerprint == unit.fingerprint
            record = record if record and usable and standing.intact(record, check=check) else None
            work = work_on(unit, spec, record)
            if work is not None:
                todo.append(work)
                changed.add(dataset)
            elif record is not None:
                kept[dataset, unit.index] = record
    corpora = dict(described)
    for dataset in standing.datasets() - planned.keys():
        corpora[dataset], others = _left_alone(standing, spec, dataset, records.get(dataset, {}), check=check)
        kept.update({(dataset, index): record for index, record in others.items()})
    document = standing.finished_document()
    if document is not None and document.spec != spec:
        changed.update(document.datasets)
    before = set(document.datasets) if document else set()
    return Worklist(corpora, kept, tuple(todo), document, altered=bool(before & changed))


def _left_alone(
    standing: Standing, spec: StoreSpec, dataset: str, records: dict[int, UnitRecord], *, check: bool
) -> tuple[CorpusRecord, dict[int, UnitRecord]]:
    """A corpus that is not asked for, once it is sure that all of it is there."""
    corpus = standing.corpus_record(dataset)
    fingerprints = tuple(records[index].fingerprint for index in sorted(records))
    place = standing.place
    if corpus is None or fingerprints != corpus.units:
        raise StoreUnfinishedError(
            f"{dataset} is only partly built in {place}; add it to --datasets to finish it"
        )
    if any(record.feature_version != FEATURE_VERSION for record in records.values()):
        raise StoreUnfinishedError(
            f"{dataset} in {place} was built by another version of the pipeline; add it to --datasets "
            f"to build it anew"
        )
    if any(record.spec != spec for record in records.values()):
        raise StoreUnfinishedError(
            f"{dataset} in {place} lacks features or views that are asked for; add it to --datasets, "
            f"for all corpora of a store have the same"
        )
    if not all(standing.intact(record, check=check) for record in records.values()):
        raise StoreUnfinishedError(f"{dataset} is damaged in {place}; add it to --datasets to repair it")
    return corpus, records
