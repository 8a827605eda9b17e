"""A clip: one labelled recording of a corpus, as it stands in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from schemas.labels import Emotion, Gender


class Status(StrEnum):
    """Whether a recording could be used. ``problem`` says why not."""

    OK = "ok"
    BAD = "bad"


@dataclass(frozen=True)
class Clip:
    """One recording and what its corpus says of it.

    ``clip_id`` and ``speaker`` are unique across corpora (``ravdess/03-01-…``, ``ravdess/01``).
    ``path`` is relative to the folder of the corpus, with forward slashes. ``label`` is the
    corpus's own word for the emotion. ``note`` tells of an oddity that does not make the clip
    unusable (a misspelt name that was read as meant, say); it goes to ``problem`` in the manifest.
    """

    clip_id: str
    dataset: str
    path: str
    speaker: str
    gender: Gender
    emotion: Emotion
    label: str
    intensity: str = ""
    sentence: str = ""
    repetition: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Ignored:
    """A file under the folder of a corpus that is not taken as a clip, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """What one corpus holds: its clips (sorted by speaker, then clip id) and what was left aside."""

    dataset: str
    root: Path
    clips: tuple[Clip, ...]
    ignored: tuple[Ignored, ...] = ()
    notices: tuple[str, ...] = field(default=())
    """Sentences about the corpus as a whole, for the person who builds."""


MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("audio_sha256", pa.string()),
        pa.field("speaker", pa.string(), nullable=False),
        pa.field("gender", pa.string(), nullable=False),
        pa.field("emotion", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("intensity", pa.string(), nullable=False),
        pa.field("sentence", pa.string(), nullable=False),
        pa.field("repetition", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("sample_rate", pa.int64()),
        pa.field("channels", pa.int64()),
        pa.field("snr_db", pa.float64()),
        pa.field("clipping_ratio", pa.float64()),
        pa.field("silence_ratio", pa.float64()),
        pa.field("peak", pa.float64()),
        pa.field("loudness_lufs", pa.float64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
    ]
)
"""Columns of ``manifest.parquet``: one row a clip. ``row`` is the clip's index in its corpus's arrays.

``snr_db`` to ``loudness_lufs`` describe the recording's quality (``pipelines.quality``); null where unknown.
"""

VIEWS_SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("view", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("parameter", pa.float64()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("valid_frames", pa.int64(), nullable=False),
    ]
)
"""Columns of ``views.parquet``: one row a clip × view.

``parameter`` is the value drawn or fixed for the view (SNR in dB, semitones, samples of shift, speed
factor; null for the original), ``key`` the 128-bit key of its random stream as 32 hexadecimal digits.
"""
