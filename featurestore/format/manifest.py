"""One row of the manifest: a clip and what is known of its recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter

from schemas.clip import Clip, Status
from schemas.tables import OPTIONAL_COLUMNS, manifest_schema


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A row of ``manifest.parquet``, as unit records store it: :data:`~schemas.tables.MANIFEST_SCHEMA`,
    followed by :data:`~schemas.tables.OPTIONAL_COLUMNS`.

    ``row`` is the clip's index in its corpus's arrays. ``audio_sha256`` is None if the recording could not
    be read as planned; the other fields that may be None are None if they are unknown.
    """

    # A dataclass with slots, not a Model: a store has a row per clip, and this takes a seventh of the memory.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    clip_id: str
    dataset: str
    row: int
    path: str
    audio_sha256: str | None
    speaker: str
    gender: str
    emotion: str
    label: str
    intensity: str
    sentence: str
    repetition: int | None
    duration_s: float | None
    sample_rate: int | None
    channels: int | None
    snr_db: float | None
    clipping_ratio: float | None
    silence_ratio: float | None
    peak: float | None
    loudness_lufs: float | None
    status: Status
    problem: str
    language: str = ""
    session: str = ""
    split: str = ""
    start_s: float | None = None
    end_s: float | None = None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None


def planned_row(clip: Clip, row: int, audio_sha256: str | None) -> ManifestRow:
    """The row of a clip, as far as it is known before its recording is read."""
    return ManifestRow(
        clip_id=clip.clip_id,
        dataset=clip.dataset,
        row=row,
        path=clip.path,
        audio_sha256=audio_sha256,
        speaker=clip.speaker,
        gender=str(clip.gender),
        emotion=str(clip.emotion),
        label=clip.label,
        intensity=clip.intensity,
        sentence=clip.sentence,
        repetition=clip.repetition,
        duration_s=None,
        sample_rate=None,
        channels=None,
        snr_db=None,
        clipping_ratio=None,
        silence_ratio=None,
        peak=None,
        loudness_lufs=None,
        status=Status.OK,
        problem=clip.note,
        language=clip.language,
        session=clip.session,
        split=clip.split,
        start_s=clip.start_s,
        end_s=clip.end_s,
        valence=clip.valence,
        arousal=clip.arousal,
        dominance=clip.dominance,
    )


def manifest_table(rows: Iterable[ManifestRow]) -> pa.Table:
    """The rows as a table, with the optional columns that any of them has a value in."""
    values: list[dict[str, Any]] = _ROWS.dump_python(list(rows), mode="json")
    omit_empty(values)
    return pa.Table.from_pylist(values, schema=manifest_schema(values[0] if values else ()))


def omit_empty(rows: Sequence[dict[str, Any]]) -> None:
    """Remove the optional columns in which none of the rows has a value."""
    for name in OPTIONAL_COLUMNS.names:
        if all(row[name] is None or row[name] == "" for row in rows):
            for row in rows:
                del row[name]


_ROWS = TypeAdapter(list[ManifestRow])
