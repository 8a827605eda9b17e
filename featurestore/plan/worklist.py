"""What a build keeps and what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from featurestore.format.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.plan.existing_store import ExistingStore
from featurestore.plan.growth import UnitWork, plan_work
from featurestore.plan.units import Unit
from pipelines.version import FEATURE_VERSION
from schemas.errors import StoreUnfinishedError
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class Worklist:
    """The difference between the corpora and a store.

    ``corpora``  : every corpus that the store will hold.
    ``kept``     : (corpus, unit) → record of the units that stay as they are.
    ``todo``     : the incomplete units.
    ``document`` : ``store.json`` of the finished store before the build, or None.
    ``altered``  : whether the build changes or removes objects that ``document`` names.
    """

    corpora: Mapping[str, CorpusRecord]
    kept: Mapping[tuple[str, int], UnitRecord]
    todo: tuple[UnitWork, ...]
    document: StoreDocument | None
    altered: bool

    @property
    def up_to_date(self) -> StoreDocument | None:
        """The store's document if nothing is left to do, else None."""
        if self.document is None or self.todo or self.altered:
            return None
        return self.document if set(self.document.datasets) == set(self.corpora) else None

    def records(self, built: Sequence[UnitRecord]) -> dict[str, list[UnitRecord]]:
        """Corpus → the records of all its units in order, kept and built."""
        every = {**self.kept, **{(record.dataset, record.unit): record for record in built}}
        return {name: [every[key] for key in sorted(every) if key[0] == name] for name in self.corpora}


def make_worklist(
    store: ExistingStore,
    spec: StoreSpec,
    planned: Mapping[str, tuple[Unit, ...]],
    described: Mapping[str, CorpusRecord],
    *,
    check: bool,
) -> Worklist:
    """Compare the requested corpora (their units and descriptions) with the store.

    Corpora that are not requested stay as they are. ``check`` compares shards of kept units by hash, not
    only by size. Raises :class:`StoreUnfinishedError` if a corpus that is not requested is damaged, only
    partly built, built by another version of the pipeline, or lacks features or views of ``spec``.
    """
    records = store.unit_records()
    kept: dict[tuple[str, int], UnitRecord] = {}
    todo: list[UnitWork] = []
    changed: set[str] = set()
    for dataset, units in planned.items():
        existing = records.get(dataset, {})
        if store.corpus_record(dataset) != described[dataset] or len(existing) > len(units):
            changed.add(dataset)
        for unit in units:
            record = existing.get(unit.index)
            usable = record is not None and record.fingerprint == unit.fingerprint
            intact = record if record and usable and store.is_intact(record, check=check) else None
            work = plan_work(unit, spec, intact, record)
            if work is not None:
                todo.append(work)
                changed.add(dataset)
            elif intact is not None:
                kept[dataset, unit.index] = intact
    corpora = dict(described)
    for dataset in store.datasets() - planned.keys():
        corpora[dataset], others = _keep_corpus(store, spec, dataset, records.get(dataset, {}), check=check)
        kept.update({(dataset, index): record for index, record in others.items()})
    document = store.finished_document()
    if document is not None and document.spec != spec:
        changed.update(document.datasets)
    before = set(document.datasets) if document else set()
    return Worklist(corpora, kept, tuple(todo), document, altered=bool(before & changed))


def _keep_corpus(
    store: ExistingStore, spec: StoreSpec, dataset: str, records: dict[int, UnitRecord], *, check: bool
) -> tuple[CorpusRecord, dict[int, UnitRecord]]:
    """The record and units of a corpus that is not requested. Raises unless all of it can be kept."""
    corpus = store.corpus_record(dataset)
    fingerprints = tuple(records[index].fingerprint for index in sorted(records))
    place = store.place
    if corpus is None or fingerprints != corpus.units:
        raise StoreUnfinishedError(
            f"{dataset} is only partly built in {place}; add it to --datasets to finish it"
        )
    if any(record.feature_version != FEATURE_VERSION for record in records.values()):
        raise StoreUnfinishedError(
            f"{dataset} in {place} was built by another version of the pipeline; add it to --datasets "
            f"to rebuild it"
        )
    if any(record.spec != spec for record in records.values()):
        raise StoreUnfinishedError(
            f"{dataset} in {place} lacks requested features or views, and all corpora of a store must have "
            f"the same ones; add it to --datasets"
        )
    if not all(store.is_intact(record, check=check) for record in records.values()):
        raise StoreUnfinishedError(f"{dataset} is damaged in {place}; add it to --datasets to repair it")
    return corpus, records
