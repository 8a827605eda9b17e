"""What a column of a table of recordings can mean."""

from __future__ import annotations

from typing import Literal, get_args

TableField = Literal[
    "file",
    "emotion",
    "speaker",
    "gender",
    "sentence",
    "intensity",
    "language",
    "session",
    "split",
    "start",
    "end",
    "valence",
    "arousal",
    "dominance",
]

TABLE_FIELDS: tuple[TableField, ...] = get_args(TableField)

Dimension = Literal["valence", "arousal", "dominance"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
"""Fields that hold a rating of each clip, a number."""
