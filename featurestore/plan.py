"""What a build has to do: clips in rows, rows in units, units with fingerprints."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from featurestore.layout import FORMAT_VERSION
from featurestore.progress import Progress
from schemas.clip import Clip, Scan
from schemas.model import canonical_digest
from schemas.spec import StoreSpec

HASHING_THREADS = 4
_TWINS_NAMED = 3
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class SourceClip:
    """A clip, where its recording lies, and the hash of the recording (None: it cannot be read)."""

    clip: Clip
    file: Path
    audio_sha256: str | None


@dataclass(frozen=True)
class Unit:
    """Up to ``shard_clips`` consecutive rows of one corpus: what one worker builds."""

    dataset: str
    index: int
    first_row: int
    clips: tuple[SourceClip, ...]
    fingerprint: str
    feature_version: int


def hash_recordings(scan: Scan, progress: Progress) -> tuple[SourceClip, ...]:
    """Hash every recording of a scan, in its order, and note recordings that are byte for byte the same."""
    files = [scan.root / clip.path for clip in scan.clips]
    with (
        progress.task(f"hash {scan.dataset}", len(files), "clips") as advance,
        ThreadPoolExecutor(HASHING_THREADS) as pool,
    ):
        hashes = []
        for digest in pool.map(_hash_or_none, files):
            hashes.append(digest)
            advance(1)
    twins: dict[str, list[str]] = defaultdict(list)
    for clip, digest in zip(scan.clips, hashes, strict=True):
        if digest and digest != _EMPTY:
            twins[digest].append(clip.clip_id)
    return tuple(
        SourceClip(_with_twins(clip, twins.get(digest or "", [])), file, digest)
        for clip, file, digest in zip(scan.clips, files, hashes, strict=True)
    )


def plan_units(
    dataset: str, clips: Sequence[SourceClip], spec: StoreSpec, feature_version: int, laid_out: Sequence[str]
) -> tuple[Unit, ...]:
    """Cut a corpus into units.

    ``clips`` come sorted by speaker, then clip id. Those of ``laid_out``, the clip ids that have rows
    already, keep their rows and further clips follow; where one of them is gone, the corpus is laid out
    anew.
    """
    size = spec.storage.shard_clips
    ordered = _keep_rows(clips, laid_out)
    parts = [tuple(ordered[first : first + size]) for first in range(0, len(ordered), size)]
    return tuple(
        Unit(dataset, i, i * size, part, fingerprint(part, spec, feature_version), feature_version)
        for i, part in enumerate(parts)
    )


def fingerprint(clips: Sequence[SourceClip], spec: StoreSpec, feature_version: int) -> str:
    """Digest of all that determines a unit's content."""
    return canonical_digest(
        {
            "format_version": FORMAT_VERSION,
            "feature_version": feature_version,
            "spec_digest": spec.digest,
            "clips": [[*_metadata(source.clip), source.audio_sha256] for source in clips],
        }
    )


def _keep_rows(clips: Sequence[SourceClip], laid_out: Sequence[str]) -> list[SourceClip]:
    by_id = {source.clip.clip_id: source for source in clips}
    kept = set(laid_out)
    if not kept <= by_id.keys():
        return list(clips)
    return [by_id[clip_id] for clip_id in laid_out] + [s for s in clips if s.clip.clip_id not in kept]


def _metadata(clip: Clip) -> list[str | int | None]:
    return [
        clip.clip_id,
        clip.path,
        clip.speaker,
        clip.gender,
        clip.emotion,
        clip.label,
        clip.intensity,
        clip.sentence,
        clip.repetition,
        clip.note,
    ]


def _with_twins(clip: Clip, group: list[str]) -> Clip:
    others = [clip_id for clip_id in group if clip_id != clip.clip_id]
    if not others:
        return clip
    more = f" and {len(others) - _TWINS_NAMED} more" if len(others) > _TWINS_NAMED else ""
    note = f"same audio as {', '.join(others[:_TWINS_NAMED])}{more}"
    return replace(clip, note=f"{clip.note}; {note}" if clip.note else note)


def _hash_or_none(path: Path) -> str | None:
    """SHA-256 of a recording, or None where it cannot be read: decoding will say why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
