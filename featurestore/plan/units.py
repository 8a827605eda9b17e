"""What a build has to do: clips in rows, rows in units, units with fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.layout import FORMAT_VERSION
from schemas.clip import Clip
from schemas.model import canonical_digest
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class SourceClip:
    """A clip, where its recording lies, and the hash of the recording (None: it cannot be read)."""

    clip: Clip
    file: Path
    audio_sha256: str | None


@dataclass(frozen=True)
class Unit:
    """Up to ``shard_clips`` consecutive rows of one corpus: what one worker builds.

    ``places`` : row by row the clip, or None for a vacant row.
    """

    dataset: str
    index: int
    first_row: int
    places: tuple[SourceClip | None, ...]
    fingerprint: str
    feature_version: int

    @property
    def clips(self) -> tuple[SourceClip, ...]:
        """The clips, in the order of their rows."""
        return tuple(place for place in self.places if place is not None)


def plan_units(
    dataset: str,
    clips: Sequence[SourceClip],
    spec: StoreSpec,
    feature_version: int,
    laid_out: Sequence[str | None],
) -> tuple[Unit, ...]:
    """Cut a corpus into units.

    ``clips`` come sorted by speaker, then clip id. Those of ``laid_out``, the clip ids that have rows
    already, keep their rows. Where one of them is gone its row is vacant until another clip takes it;
    further clips follow at the end. Once more than half of the rows would be vacant, the corpus is laid
    out anew.
    """
    size = spec.storage.shard_clips
    rows = _rows(clips, laid_out)
    parts = [tuple(rows[first : first + size]) for first in range(0, len(rows), size)]
    return tuple(
        Unit(dataset, i, i * size, part, fingerprint(part, feature_version), feature_version)
        for i, part in enumerate(parts)
    )


def fingerprint(places: Sequence[SourceClip | None], feature_version: int) -> str:
    """Digest of all that determines a unit's content but the specification."""
    return canonical_digest(
        {
            "format_version": FORMAT_VERSION,
            "feature_version": feature_version,
            "clips": [[*_metadata(place.clip), place.audio_sha256] if place else None for place in places],
        }
    )


def _rows(clips: Sequence[SourceClip], laid_out: Sequence[str | None]) -> list[SourceClip | None]:
    by_id = {source.clip.clip_id: source for source in clips}
    known = set(laid_out)
    further = iter([source for source in clips if source.clip.clip_id not in known])
    rows = [by_id.get(clip_id) if clip_id else None for clip_id in laid_out]
    rows = [row if row is not None else next(further, None) for row in rows]
    rows.extend(further)
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
