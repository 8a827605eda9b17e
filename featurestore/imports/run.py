"""Adds a feature that another tool computed to a built store.

::

    files ──▶ entries ──▶ match with clips ──▶ check all numbers ──▶ units: shards, record ──▶ store.json

Nothing in the store changes before all of the source was read and found usable. An import that is stopped
later leaves an unfinished store; the same command, or a build, finishes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from featurestore.compute.commit import commit_unit
from featurestore.compute.finalise import finalise, write_if_changed
from featurestore.compute.imported import gather_imported
from featurestore.compute.stages import Stages
from featurestore.compute.unit import UnitMoments, UnitResult
from featurestore.format.arrays import ShardEncoder, hierarchy
from featurestore.format.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.format.layout import ROOT_METADATA
from featurestore.format.manifest import ManifestRow
from featurestore.format.sweep import withdraw
from featurestore.imports.match import match_entries
from featurestore.imports.open import open_source
from featurestore.imports.specification import describe, extend, require_name
from featurestore.imports.tables import TableOptions
from featurestore.imports.values import SourceValues, usable_entries
from featurestore.places.choose import place_at
from featurestore.places.durable import storage_errors
from featurestore.places.lease import Fence, exclusive, require_held
from featurestore.places.place import Place
from featurestore.plan.existing_store import ExistingStore
from featurestore.plan.growth import UnitWork
from featurestore.plan.readable import require_readable
from featurestore.plan.spec_of_store import spec_of_store
from featurestore.plan.units import Unit
from featurestore.plan.worklist import Worklist
from featurestore.progress import Progress, Silent
from schemas.clip import Status
from schemas.errors import FeatureSourceError, StoreNotFoundError, StoreUnfinishedError, UsageError
from schemas.imported import ImportedSpec
from schemas.recipe import first_problem
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class ImportRequest:
    """What to import into which store, and under which name.

    ``provenance`` : where the numbers come from, in one line; None: the kind and the names of the files.
    ``replace`` : whether a feature of this name that came from other files is replaced.
    """

    store: str | Path
    name: str
    files: tuple[Path, ...]
    table: TableOptions = field(default_factory=TableOptions)
    provenance: str | None = None
    replace: bool = False


@dataclass(frozen=True)
class ImportReport:
    """What an import did. Clips are ids, ``unmatched`` are entries of the source that belong to no clip."""

    store: str
    document: StoreDocument
    feature: ImportedSpec
    clips: int
    """Clips that have values."""
    missing: tuple[str, ...]
    """Usable clips that the source lacks."""
    unusable: tuple[str, ...]
    """Clips whose values in the source are not all finite, or that have no frames."""
    unmatched: tuple[str, ...]
    units_written: int
    units_kept: int


@dataclass(frozen=True)
class _Store:
    """All units of a store, finished or not, and its corpora."""

    place: Place
    corpora: Mapping[str, CorpusRecord]
    units: Mapping[str, Sequence[UnitRecord]]
    finished: StoreDocument | None
    present: Mapping[str, int]

    def clips(self) -> Iterator[ManifestRow]:
        for records in self.units.values():
            for record in records:
                yield from record.clips


def import_feature(request: ImportRequest, progress: Progress | None = None) -> ImportReport:
    """Add the feature ``request.name`` to a store; its other features stay as they are.

    Raises :class:`UsageError` for a name or files that cannot be, :class:`FeatureSourceError` for a source
    that is unusable or does not fit, :class:`StoreConflictError` if the store has another feature of this
    name, and :class:`StoreUnfinishedError` for a store that must be built first.
    """
    progress = progress or Silent()
    require_name(request.name)
    place = place_at(request.store)
    if spec_of_store(place) is None:
        raise StoreNotFoundError(
            f"there is no feature store at {place}; build one with `ser-features build --out {place}`"
        )
    source = open_source(request.files, request.table)
    with storage_errors(place), exclusive(place) as token:
        spec = spec_of_store(place)
        if spec is None:
            raise StoreNotFoundError(f"there is no feature store at {place} any more")
        feature = describe(source, request.name, request.provenance, spec)
        wanted = _validate(extend(spec, feature, str(place), replace=request.replace))
        store = _whole_store(place, wanted, feature)
        found = match_entries(
            source.entries,
            [*store.clips()],
            (clip.clip_id for clip in store.clips() if clip.status is Status.OK),
        )
        usable, unusable = usable_entries(found.entries, wanted.storage, progress)
        if not usable:
            raise FeatureSourceError(
                f"no clip of the store has only finite numbers in {', '.join(source.names)}; check the values"
            )
        values = SourceValues(usable, wanted.storage)
        todo = [
            work
            for records in store.units.values()
            for record in records
            if (work := _work(record, wanted, feature, values)) is not None
        ]
        written = _write(store, wanted, todo, values, token, progress)
        document = written or store.finished or _finish(store, wanted, {}, token)
    return ImportReport(
        store=str(place),
        document=document,
        feature=feature,
        clips=sum(clip.status is Status.OK and clip.clip_id in usable for clip in store.clips()),
        missing=found.missing,
        unusable=unusable,
        unmatched=found.unmatched,
        units_written=len(todo),
        units_kept=sum(map(len, store.units.values())) - len(todo),
    )


def _validate(spec: StoreSpec) -> StoreSpec:
    """Check that the feature fits the store, which ``model_copy`` does not do."""
    try:
        return StoreSpec.model_validate(spec.model_dump())
    except ValidationError as error:
        raise UsageError(first_problem(error)) from error


def _whole_store(place: Place, wanted: StoreSpec, feature: ImportedSpec) -> _Store:
    """All units of the store. Raises :class:`StoreUnfinishedError` if any is missing or damaged."""
    existing = ExistingStore(place)
    records = existing.unit_records()
    corpora: dict[str, CorpusRecord] = {}
    units: dict[str, list[UnitRecord]] = {}
    others = _without(wanted, feature.name)
    for dataset in sorted(existing.datasets()):
        corpus = existing.corpus_record(dataset)
        held = [record for _, record in sorted(records.get(dataset, {}).items())]
        complete = corpus is not None and tuple(record.fingerprint for record in held) == corpus.units
        same = all(_without(record.spec, feature.name) == others for record in held)
        if corpus is None or not complete or not same:
            raise StoreUnfinishedError(
                f"{dataset} is only partly built in {place}; finish it with `ser-features build`, then import"
            )
        if not all(existing.is_intact(record, check=False) for record in held):
            raise StoreUnfinishedError(
                f"{dataset} is damaged in {place}; repair it with `ser-features build --check`, then import"
            )
        corpora[dataset], units[dataset] = corpus, held
    document = existing.finished_document()
    finished = document if document is not None and document.spec == wanted else None
    return _Store(place, corpora, units, finished, existing.present)


def _without(spec: StoreSpec, name: str) -> StoreSpec:
    kept = tuple(feature for feature in spec.features if feature.name != name)
    return spec.model_copy(update={"features": kept})


def _work(
    record: UnitRecord, wanted: StoreSpec, feature: ImportedSpec, values: SourceValues
) -> UnitWork | None:
    """What is to be written of a unit; None if it already has all of the source's values for its clips."""
    counts = tuple(values.frames(clip.clip_id) if clip.status is Status.OK else 0 for clip in record.clips)
    if record.spec == wanted and (record.imported_frames or {})[feature.name] == counts:
        return None
    unit = Unit(
        dataset=record.dataset,
        index=record.unit,
        first_row=record.unit * wanted.storage.shard_clips,
        rows=(),
        fingerprint=record.fingerprint,
        feature_version=record.feature_version,
    )
    return UnitWork(unit, wanted, wanted.computed, record, rewrite=frozenset({feature.name}))


def _write(
    store: _Store,
    spec: StoreSpec,
    todo: Sequence[UnitWork],
    values: SourceValues,
    token: str,
    progress: Progress,
) -> StoreDocument | None:
    """Write the units and finish the store; returns None if there is nothing to write."""
    if not todo:
        return None
    kept = {(name, record.unit): record for name, records in store.units.items() for record in records}
    require_readable(spec, Worklist(store.corpora, kept, (), None, altered=True))
    withdraw(store.place)
    write_if_changed(store.place, ROOT_METADATA, hierarchy(spec, {})[ROOT_METADATA], store.present)
    encoder, fence, stages = ShardEncoder(spec), Fence(store.place, token), Stages()
    written: dict[tuple[str, int], UnitRecord] = {}
    with progress.task("import", sum(len(record.clips) for record in _records(todo)), "clips") as advance:
        for work, record in zip(todo, _records(todo), strict=True):
            rows = len(store.corpora[record.dataset].rows) - work.unit.first_row
            part = gather_imported(
                work, record.clips, min(rows, spec.storage.shard_clips), lambda _, clip: values.of(clip)
            )
            result = UnitResult(
                work, record.fingerprint, {}, list(record.clips), {}, {}, {}, {}, UnitMoments(work)
            )
            done = commit_unit(store.place, result, part, encoder, fence, stages)
            written[record.dataset, record.unit] = done
            advance(len(record.clips))
    return _finish(store, spec, written, token)


def _records(todo: Sequence[UnitWork]) -> list[UnitRecord]:
    return [work.existing for work in todo if work.existing is not None]


def _finish(
    store: _Store, spec: StoreSpec, written: Mapping[tuple[str, int], UnitRecord], token: str
) -> StoreDocument:
    require_held(store.place, token)
    records = {
        name: [written.get((name, record.unit), record) for record in units]
        for name, units in store.units.items()
    }
    (version,) = {record.feature_version for units in records.values() for record in units}
    return finalise(store.place, spec, version, store.corpora, records)
