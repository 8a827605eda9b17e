"""What a column of a table of recordings can mean."""

from __future__ import annotations

from typing import Literal, get_args

TableField = Literal["file", "emotion", "speaker", "gender", "sentence", "intensity"]

TABLE_FIELDS: tuple[TableField, ...] = get_args(TableField)
