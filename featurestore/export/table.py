"""Exports a table: one row per clip and view."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.export.columns import clip_values, column_names, is_pooled
from featurestore.export.content import Content, encoder_layers
from featurestore.places.durable import make_folders, sync_folder
from featurestore.places.partials import flush, write_partial
from featurestore.progress import Advance
from schemas.tables import OPTIONAL_COLUMNS

FACTS = (
    *("clip_id", "path", "dataset", "speaker", "gender"),
    *("emotion", "label", "intensity", "sentence", "repetition", "duration_s"),
)
"""Columns of the manifest that come first, followed by the optional ones that it has, and ``view``."""


def write_table(content: Content, path: Path, form: Literal["csv", "parquet"], advance: Advance) -> int:
    """Write the table to ``path``, whole or not at all; returns the number of columns with values."""
    make_folders(path.parent)
    values = tuple(_value_columns(content))
    with write_partial(path) as (file, partial):
        if form == "csv":
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            for index, frame in enumerate(_frames(content, values, advance)):
                frame.to_csv(text, index=False, header=index == 0, lineterminator="\n")
            text.flush()
            text.detach()
        else:
            writer: pq.ParquetWriter | None = None
            for frame in _frames(content, values, advance):
                table = pa.Table.from_pandas(frame, preserve_index=False)
                writer = writer or pq.ParquetWriter(file, table.schema)
                writer.write_table(table)
            if writer is not None:
                writer.close()
        flush(file)
        partial.replace(path)
    sync_folder(path.parent)
    return len(values)


def _value_columns(content: Content) -> Iterator[str]:
    for name in content.features:
        yield from column_names(content.store.spec, name, encoder_layers(content, name))


def _frames(content: Content, values: tuple[str, ...], advance: Advance) -> Iterator[pd.DataFrame]:
    spec = content.store.spec
    optional = [name for name in OPTIONAL_COLUMNS.names if name in content.store.manifest]
    for block in content.blocks():
        facts = block.clips[[*FACTS, *optional]].reset_index(drop=True).assign(view=block.view)
        parts = [
            clip_values(block.arrays[name], block.valid_frames[name], pooled=is_pooled(spec, name))
            for name in content.features
        ]
        numbers = pd.DataFrame(np.concatenate(parts, axis=1), columns=list(values))
        yield pd.concat([facts, numbers], axis=1)
        if block.view == content.views[-1]:
            advance(len(facts))
