"""Columns of the tables of a store."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from schemas.spec import StoreSpec

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
"""Columns of ``manifest.parquet``: one row per clip. ``row`` is the index of the clip in the arrays of its
corpus.

``snr_db`` to ``loudness_lufs`` describe the quality of the recording (``pipelines.quality``); null if
unknown.
"""

OPTIONAL_COLUMNS = pa.schema(
    [
        pa.field("language", pa.string(), nullable=False),
        pa.field("session", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("valence", pa.float64()),
        pa.field("arousal", pa.float64()),
        pa.field("dominance", pa.float64()),
    ]
)
"""Columns that follow those of :data:`MANIFEST_SCHEMA`, in this order, each only if a clip has a value in it.

A clip without a value has an empty text, or null.
"""


def manifest_schema(optional: Collection[str]) -> pa.Schema:
    """Columns of a manifest that has these of :data:`OPTIONAL_COLUMNS`."""
    return pa.schema([*MANIFEST_SCHEMA, *(field for field in OPTIONAL_COLUMNS if field.name in optional)])


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
"""Columns of ``views.parquet``: one row per clip and view.

``parameter`` is the drawn or fixed value of the view (SNR in dB, semitones, shift in samples, speed factor;
null if the view has none). ``key`` is the 128-bit key of its random stream, as 32 hexadecimal digits.
"""


def views_schema(spec: StoreSpec) -> pa.Schema:
    """Columns of ``views.parquet`` of a store with ``spec``.

    With features of encoders or openSMILE, ``samples`` precedes ``valid_frames``: the length of the view at
    the store's sample rate, from which the valid frames of each feature follow. Each imported feature adds a
    column at the end (:func:`imported_column`).
    """
    schema = VIEWS_SCHEMA
    if spec.own_frames:
        samples = pa.field("samples", pa.int64(), nullable=False)
        schema = schema.insert(schema.get_field_index("valid_frames"), samples)
    for feature in spec.imported:
        schema = schema.append(pa.field(imported_column(feature.name), pa.int64(), nullable=False))
    return schema


def imported_column(feature: str) -> str:
    """Column of ``views.parquet`` with the frames that an imported feature has; 0 if it has no values."""
    return f"{feature}_frames"
