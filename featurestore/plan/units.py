"""Assigns clips to rows and rows to units, and gives units fingerprints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.layout import FORMAT_VERSION
from schemas.clip import Clip
from schemas.model import canonical_digest
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class SourceClip:
    """A clip, the path of its recording, and the recording's hash (None if it cannot be read)."""

    clip: Clip
    file: Path
    audio_sha256: str | None


@dataclass(frozen=True)
class Unit:
    """Up to ``shard_clips`` consecutive rows of one corpus, built by one worker.

    ``rows`` : the clip of each row, or None for a vacant row.
    """

    dataset: str
    index: int
    first_row: int
    rows: tuple[SourceClip | None, ...]
    fingerprint: str
    feature_version: int

    @property
    def clips(self) -> tuple[SourceClip, ...]:
        """The clips, in row order."""
        return tuple(row for row in self.rows if row is not None)


def plan_units(
    dataset: str,
    clips: Sequence[SourceClip],
    spec: StoreSpec,
    feature_version: int,
    existing_rows: Sequence[str | None],
) -> tuple[Unit, ...]:
    """Divide a corpus into units.

    ``clips`` are sorted by speaker, then clip id. ``existing_rows`` are the clip ids of the rows that the
    store already has; these clips keep their rows. The row of a removed clip stays vacant until a new clip
    takes it; further new clips are appended. If more than half of the rows would be vacant, all rows are
    assigned again.
    """
    size = spec.storage.shard_clips
    rows = _assign_rows(clips, existing_rows)
    parts = [tuple(rows[first : first + size]) for first in range(0, len(rows), size)]
    return tuple(
        Unit(dataset, i, i * size, part, fingerprint(part, feature_version), feature_version)
        for i, part in enumerate(parts)
    )


def fingerprint(rows: Sequence[SourceClip | None], feature_version: int) -> str:
    """Digest of everything that determines a unit's content, except the specification."""
    return canonical_digest(
        {
            "format_version": FORMAT_VERSION,  # of all versions: a store that grows keeps its units
            "feature_version": feature_version,
            "clips": [
                [*_metadata(row.clip), row.audio_sha256, *_optional(row.clip)] if row else None
                for row in rows
            ],
        }
    )


def _assign_rows(clips: Sequence[SourceClip], existing_rows: Sequence[str | None]) -> list[SourceClip | None]:
    by_id = {source.clip.clip_id: source for source in clips}
    known = set(existing_rows)
    new = iter([source for source in clips if source.clip.clip_id not in known])
    rows = [by_id.get(clip_id) if clip_id else None for clip_id in existing_rows]
    rows = [row if row is not None else next(new, None) for row in rows]
    rows.extend(new)
    while rows and rows[-1] is None:
        rows.pop()
    return list(clips) if 2 * rows.count(None) > len(rows) else rows


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


def _optional(clip: Clip) -> Iterator[dict[str, str | float]]:
    """What only some corpora say about a clip; without it, the fingerprint is the one of earlier versions."""
    if values := clip.optional_values():
        yield values
