"""Compare a store with what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from featurestore.format.documents import StoredObject, UnitRecord, parse_document
from featurestore.format.layout import MANIFEST, RECORDS, STATISTICS, VIEWS, is_shard, unit_record_of
from featurestore.format.sweep import strangers
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.progress import Progress, Silent
from featurestore.read.opening import open_place
from featurestore.store import FeatureStore
from pipelines.machine import usable_cores
from schemas.clip import Status
from schemas.errors import SerError, StorageError, StoreDamagedError

_READS_AT_ONCE = 16
"""From elsewhere: each takes a round trip."""


class Fault(StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"
    SIZE = "wrong size"
    CONTENT = "wrong content"
    VALUES = "wrong values"


@dataclass(frozen=True)
class Finding:
    """One fault: the object, what is wrong, and which clips it touches (none for metadata)."""

    name: str
    fault: Fault
    detail: str
    clips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """What verifying found. ``ok`` where it found nothing."""

    store: str
    digest: str
    full: bool
    objects: int
    bytes: int
    findings: tuple[Finding, ...]
    decoded: bool
    """Whether every number was looked at, beside the hashes."""
    strangers: tuple[str, ...]
    """Files that are no part of the store: of a build that was stopped or goes on, or somebody's own."""

    @property
    def ok(self) -> bool:
        """Whether the store is what it says."""
        return not self.findings


def verify(where: str | Path, *, full: bool = False, progress: Progress | None = None) -> Verification:
    """Check the store at a path or URL.

    Quick: every object is there with its size, and all metadata and tables have their hashes. Full: the
    hashes of all objects, and in a folder every feature of every usable clip decodes to finite numbers
    (and of every bad recording to NaN). Raises as :meth:`FeatureStore.open` does.
    """
    progress = progress or Silent()
    place, document = open_place(where)
    objects = document.objects
    present, found_more = _list_present(place, objects)
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
        strangers=tuple(found_more),
    )


def _list_present(place: Place, objects: Mapping[str, StoredObject]) -> tuple[Mapping[str, int], list[str]]:
    """Name → bytes of the objects that are there, and what else is, where a place can tell."""
    try:
        present = place.sizes()
    except StorageError:  # the web lists nothing
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            sizes = dict(zip(objects, pool.map(place.size, objects), strict=True))
        return {name: size for name, size in sizes.items() if size is not None}, []
    return present, strangers(present, objects)


def _check_presence(name: str, entry: StoredObject, present: Mapping[str, int]) -> Finding | None:
    size = present.get(name)
    if size is None:
        return Finding(name, Fault.MISSING, f"{entry.bytes} bytes are gone")
    if size != entry.bytes:
        return Finding(name, Fault.SIZE, f"{size} bytes, recorded {entry.bytes}")
    return None


def _check_contents(
    place: Place, objects: Mapping[str, StoredObject], progress: Progress
) -> Iterator[Finding]:
    """What is wrong with the bytes of objects that have their size."""
    threads = usable_cores() if isinstance(place, Folder) else _READS_AT_ONCE

    def problem_of(name: str) -> str:
        try:
            sound = StoredObject.at(place, name) == objects[name]
        except (OSError, StoreDamagedError) as error:
            return f"it cannot be read ({error})"
        return "" if sound else "its SHA-256 is not the recorded one"

    with (
        progress.task("hash", sum(entry.bytes for entry in objects.values()), "bytes") as advance,
        ThreadPoolExecutor(threads) as pool,
    ):
        for name, problem in zip(objects, pool.map(problem_of, objects), strict=True):
            advance(objects[name].bytes)
            if problem:
                yield Finding(name, Fault.CONTENT, problem)


def _add_clips(store: FeatureStore, finding: Finding) -> Finding:
    """Add the clips of the unit that a shard or record belongs to: by its record, else by the manifest."""
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
    """The clips of a unit's record; none where it is damaged."""
    entry = store.document.objects[name]
    try:
        data = store.place.read(name, entry.bytes)
        sound = StoredObject.of(data) == entry
        rows = parse_document(data, name, UnitRecord).clips if sound else ()
    except (OSError, SerError):
        return ()
    return tuple(str(row["clip_id"]) for row in rows)


def _listed_clips(store: FeatureStore, record: str) -> tuple[str, ...]:
    """The clips that the manifest has for the unit of a record. Raises where that is damaged too."""
    _, dataset, file = record.split("/")
    manifest = store.manifest
    unit = manifest["row"] // store.spec.storage.shard_clips == int(Path(file).stem)
    return tuple(map(str, manifest["clip_id"][unit & (manifest["dataset"] == dataset)]))


def _check_tables(store: FeatureStore) -> Iterator[Finding]:
    """The table, if one has its hash and yet cannot be true."""
    for name, read in ((MANIFEST, "manifest"), (VIEWS, "views"), (STATISTICS, "_statistics")):
        try:
            getattr(store, read)
        except StoreDamagedError as error:
            yield Finding(name, Fault.VALUES, str(error))
            return


def _check_expansion(store: FeatureStore, hashed: Iterable[str]) -> Iterator[Finding]:
    """Shards that have their hash and would expand without bounds; the others need not be hashed again."""
    for name in hashed:
        try:
            store.objects.accept([name])
        except StoreDamagedError as error:
            yield Finding(name, Fault.VALUES, str(error))


def _check_values(store: FeatureStore, progress: Progress) -> Iterator[Finding]:
    """Decode everything, unit by unit."""
    manifest = store.manifest
    size = store.spec.storage.shard_clips
    views = range(len(store.spec.view_names))
    names = [feature.kind for feature in store.spec.features]
    with progress.task("decode", len(manifest), "clips") as advance:
        for _, part in manifest.groupby([manifest["dataset"], manifest["row"] // size]):
            usable = (part["status"] == Status.OK).to_numpy()
            for view in views:
                for name in names:
                    where = f"{part['dataset'].iloc[0]}/{name}, view {view}"
                    try:
                        values = store.read(part.index.to_numpy(), (view,), (name,))[name][0]
                    except StoreDamagedError as error:
                        yield Finding(where, Fault.VALUES, str(error))
                        continue
                    finite = np.isfinite(values).all(axis=(1, 2))
                    wrong = part["clip_id"].to_numpy()[finite != usable]
                    if len(wrong):
                        detail = "numbers that are not finite, or numbers for a bad recording"
                        yield Finding(where, Fault.VALUES, detail, tuple(map(str, wrong)))
            advance(len(part))
