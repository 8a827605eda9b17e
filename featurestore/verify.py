"""Compare a store with what it says of itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from featurestore.documents import StoredObject, UnitRecord, read_document
from featurestore.durable import sha256_of
from featurestore.layout import LOCK, RECORDS, STORE_JSON, is_shard
from featurestore.progress import Progress, Silent
from featurestore.store import FeatureStore
from schemas.clip import Status
from schemas.errors import StoreDamagedError


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

    store: Path
    digest: str
    full: bool
    objects: int
    bytes: int
    findings: tuple[Finding, ...]
    strangers: tuple[str, ...]
    """Files that are no part of the store: of a build that was stopped or goes on, or somebody's own."""

    @property
    def ok(self) -> bool:
        """Whether the store is what it says."""
        return not self.findings


def verify(path: Path, *, full: bool = False, progress: Progress | None = None) -> Verification:
    """Check a store.

    Quick: every object is there with its size, and all metadata and tables have their hashes. Full: the
    hashes of all objects, and every feature of every usable clip decodes to finite numbers (and of every
    bad recording to NaN). Raises as :meth:`FeatureStore.open` does.
    """
    progress = progress or Silent()
    store = FeatureStore.open(path)
    objects = store.document.objects
    findings = [finding for name, entry in objects.items() if (finding := _presence(path, name, entry))]
    faulty = {finding.name for finding in findings}
    hashed = [name for name in objects if name not in faulty and (full or not is_shard(name))]
    with (
        progress.task("hash", sum(objects[name].bytes for name in hashed), "bytes") as advance,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        digests = pool.map(lambda name: sha256_of(path / name), hashed)
        for name, digest in zip(hashed, digests, strict=True):
            advance(objects[name].bytes)
            if digest != objects[name].sha256:
                findings.append(Finding(name, Fault.CONTENT, "its SHA-256 is not the recorded one"))
    findings = [_with_clips(path, objects, finding) for finding in findings]
    if full and not findings:
        findings += _values(store, progress)
    return Verification(
        store=path,
        digest=store.digest,
        full=full,
        objects=len(objects),
        bytes=sum(entry.bytes for entry in objects.values()),
        findings=tuple(sorted(findings, key=lambda finding: finding.name)),
        strangers=tuple(_strangers(path, set(objects))),
    )


def _presence(path: Path, name: str, entry: StoredObject) -> Finding | None:
    try:
        size = (path / name).stat().st_size
    except FileNotFoundError:
        return Finding(name, Fault.MISSING, f"{entry.bytes} bytes are gone")
    if size != entry.bytes:
        return Finding(name, Fault.SIZE, f"{size} bytes, recorded {entry.bytes}")
    return None


def _strangers(path: Path, known: set[str]) -> Iterator[str]:
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and name not in known and name not in {STORE_JSON, LOCK}:
            yield name


def _with_clips(path: Path, objects: dict[str, StoredObject], finding: Finding) -> Finding:
    """Add the clips of the unit that a shard or record belongs to, from its record."""
    parts = finding.name.split("/")
    if is_shard(finding.name):
        record_name = f"{RECORDS}/{parts[0]}/{int(parts[4]):05d}.json"
    elif parts[0] == RECORDS and Path(finding.name).stem.isdigit():
        record_name = f"{RECORDS}/{parts[1]}/{Path(finding.name).stem}.json"
    else:
        return finding
    entry = objects.get(record_name)
    file = path / record_name
    if entry is None or not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != entry.sha256:
        return finding
    record = read_document(file, UnitRecord)
    clips = tuple(str(row["clip_id"]) for row in record.clips)
    return Finding(finding.name, finding.fault, finding.detail, clips)


def _values(store: FeatureStore, progress: Progress) -> Iterator[Finding]:
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
