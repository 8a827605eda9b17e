"""Verify a store: compare its objects with the sizes, hashes and tables that it records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from featurestore.format.documents import StoredObject, UnitRecord, parse_document
from featurestore.format.layout import MANIFEST, RECORDS, STATISTICS, VIEWS, is_shard, unit_record_of
from featurestore.format.sweep import strangers
from featurestore.places.folder import Folder
from featurestore.places.place import REMOTE_THREADS, Place
from featurestore.progress import Progress, Silent
from featurestore.read.opening import open_place
from featurestore.store import FeatureStore
from pipelines.machine import usable_cores
from schemas.errors import SerError, StorageError, StoreDamagedError


class Fault(StrEnum):
    """Kind of fault of an object."""

    MISSING = "missing"
    SIZE = "wrong size"
    CONTENT = "wrong content"
    VALUES = "wrong values"


@dataclass(frozen=True)
class Finding:
    """One fault: the object, what is wrong with it, and the clips it affects (none for metadata)."""

    name: str
    fault: Fault
    detail: str
    clips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """The result of verifying a store; ``ok`` if nothing was found."""

    store: str
    digest: str
    full: bool
    objects: int
    bytes: int
    findings: tuple[Finding, ...]
    decoded: bool
    """Whether every value was decoded and checked, in addition to the hashes."""
    strangers: tuple[str, ...]
    """Files that are not part of the store: left by an interrupted or running build, or the user's own."""

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return not self.findings


def verify(where: str | Path, *, full: bool = False, progress: Progress | None = None) -> Verification:
    """Verify the store at a path or URL.

    The quick check tests that every object exists with its recorded size, and the hashes of all metadata and
    tables. The full check hashes every object; for a store in a folder it also decodes all features and tests
    that usable clips have finite values and bad recordings are NaN. Raises what :meth:`FeatureStore.open`
    raises.
    """
    progress = progress or Silent()
    place, document = open_place(where)
    objects = document.objects
    present, others = _list_present(place, objects)
    findings = [
        finding for name, entry in objects.items() if (finding := _check_presence(name, entry, present))
    ]
    faulty = {finding.name for finding in findings}
    hashed = {
        name: entry for name, entry in objects.items() if name not in faulty and (full or not is_shard(name))
    }
    findings += _check_contents(place, hashed, progress)
    store = FeatureStore(place, document)
    if not findings:
        findings += _check_tables(store)
    findings = [_add_clips(store, finding) for finding in findings]
    decoded = full and not findings and isinstance(place, Folder)
    if decoded:
        findings += _check_expansion(store, hashed)
        findings += [] if findings else _check_values(store, progress)
    return Verification(
        store=str(place),
        digest=store.digest,
        full=full,
        objects=len(objects),
        bytes=sum(entry.bytes for entry in objects.values()),
        findings=tuple(sorted(findings, key=lambda finding: finding.name)),
        decoded=decoded,
        strangers=tuple(others),
    )


def _list_present(place: Place, objects: Mapping[str, StoredObject]) -> tuple[Mapping[str, int], list[str]]:
    """Name → bytes of the objects present, and the other files, if the place can list them."""
    try:
        present = place.sizes()
    except StorageError:  # web servers cannot list files
        with ThreadPoolExecutor(REMOTE_THREADS) as pool:
            sizes = dict(zip(objects, pool.map(place.size, objects), strict=True))
        return {name: size for name, size in sizes.items() if size is not None}, []
    return present, strangers(present, objects)


def _check_presence(name: str, entry: StoredObject, present: Mapping[str, int]) -> Finding | None:
    size = present.get(name)
    if size is None:
        return Finding(name, Fault.MISSING, f"expected {entry.bytes} bytes")
    if size != entry.bytes:
        return Finding(name, Fault.SIZE, f"{size} bytes, expected {entry.bytes}")
    return None


def _check_contents(
    place: Place, objects: Mapping[str, StoredObject], progress: Progress
) -> Iterator[Finding]:
    """Hash objects that have the right size and report those whose bytes differ."""
    threads = usable_cores() if isinstance(place, Folder) else REMOTE_THREADS

    def problem_of(name: str) -> str:
        try:
            sound = StoredObject.at(place, name) == objects[name]
        except (OSError, StoreDamagedError) as error:
            return f"it cannot be read ({error})"
        return "" if sound else "its SHA-256 differs from the recorded one"

    with (
        progress.task("hash", sum(entry.bytes for entry in objects.values()), "bytes") as advance,
        ThreadPoolExecutor(threads) as pool,
    ):
        for name, problem in zip(objects, pool.map(problem_of, objects), strict=True):
            advance(objects[name].bytes)
            if problem:
                yield Finding(name, Fault.CONTENT, problem)


def _add_clips(store: FeatureStore, finding: Finding) -> Finding:
    """Add the clips of the unit that a shard or record belongs to, from its record or else the manifest."""
    folder, _, file = finding.name.rpartition("/")
    if is_shard(finding.name):
        name = unit_record_of(finding.name)
    elif folder.startswith(f"{RECORDS}/") and Path(file).stem.isdigit():
        name = f"{folder}/{Path(file).stem}.json"
    else:
        return finding
    try:
        clips = _recorded_clips(store, name) or _listed_clips(store, name)
    except (OSError, SerError):
        return finding
    return replace(finding, clips=clips)


def _recorded_clips(store: FeatureStore, name: str) -> tuple[str, ...]:
    """The clips in the record of a unit; empty if the record is damaged."""
    entry = store.document.objects[name]
    try:
        data = store.place.read(name, entry.bytes)
        sound = StoredObject.of(data) == entry
        rows = parse_document(data, name, UnitRecord).clips if sound else ()
    except (OSError, SerError):
        return ()
    return tuple(row.clip_id for row in rows)


def _listed_clips(store: FeatureStore, record: str) -> tuple[str, ...]:
    """The clips that the manifest lists for the unit of a record. Raises if the manifest is damaged too."""
    _, dataset, file = record.split("/")
    manifest = store.manifest
    unit = manifest["row"] // store.spec.storage.shard_clips == int(Path(file).stem)
    return tuple(map(str, manifest["clip_id"][unit & (manifest["dataset"] == dataset)]))


def _check_tables(store: FeatureStore) -> Iterator[Finding]:
    """Report the first table with the right hash but impossible values."""
    tables: tuple[tuple[str, Callable[[], object]], ...] = (
        (MANIFEST, lambda: store.manifest),
        (VIEWS, lambda: store.views),
        (STATISTICS, lambda: store.statistics_table),
    )
    for name, read in tables:
        try:
            read()
        except StoreDamagedError as error:
            yield Finding(name, Fault.VALUES, str(error))
            return


def _check_expansion(store: FeatureStore, hashed: Iterable[str]) -> Iterator[Finding]:
    """Report shards with the right hash that would expand without bounds; accept the others as verified."""
    for name in hashed:
        try:
            store.objects.accept([name])
        except StoreDamagedError as error:
            yield Finding(name, Fault.VALUES, str(error))


def _check_values(store: FeatureStore, progress: Progress) -> Iterator[Finding]:
    """Decode all features unit by unit and report values that do not fit the status of their clip."""
    manifest = store.manifest
    size = store.spec.storage.shard_clips
    views = range(len(store.spec.view_names))
    names = [feature.name for feature in store.spec.features]
    with progress.task("decode", len(manifest), "clips") as advance:
        for _, part in manifest.groupby([manifest["dataset"], manifest["row"] // size]):
            for view in views:
                for name in names:
                    usable = store.has_values([name], view)[part.index.to_numpy()]
                    where = f"{part['dataset'].iloc[0]}/{name}, view {view}"
                    try:
                        values = store.read(part.index.to_numpy(), (view,), (name,))[name][0]
                    except StoreDamagedError as error:
                        yield Finding(where, Fault.VALUES, str(error))
                        continue
                    finite = np.isfinite(values).all(axis=(1, 2))
                    wrong = part["clip_id"].to_numpy()[finite != usable]
                    if len(wrong):
                        detail = "a usable clip has non-finite values, or a clip without values has some"
                        yield Finding(where, Fault.VALUES, detail, tuple(map(str, wrong)))
            advance(len(part))
