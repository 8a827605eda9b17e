"""One row of the manifest: a clip and what is known of its recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from schemas.clip import Status


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A row of ``manifest.parquet``, as unit records store it: :data:`~schemas.tables.MANIFEST_SCHEMA`.

    ``row`` is the clip's index in its corpus's arrays. ``audio_sha256`` is None if the recording could not
    be read as planned; the other optional fields are None if they are unknown.
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


def plain_rows(rows: Iterable[ManifestRow]) -> list[dict[str, Any]]:
    """The rows as dictionaries of plain values, for Arrow."""
    values: list[dict[str, Any]] = _ROWS.dump_python(list(rows), mode="json")
    return values


_ROWS = TypeAdapter(list[ManifestRow])
