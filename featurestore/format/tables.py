"""Parquet from a stranger, read within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featurestore.format.parquet_layout import Chunk, read_layout
from schemas.errors import StoreDamagedError

MOST_TEXT = 32_768
"""Bytes of the longest text in a table."""

MEAN_TEXT = 512
"""Bytes of a row's text in one column, in the mean over a table, beside :data:`_SLACK`."""

_SLACK = 2**20
_MOST_ITEMS = 20_000
_MOST_NAME = 2**20


def read_table(
    data: bytes, name: str, schema: pa.Schema, rows: int, *, exact: bool = True, most_values: int = 0
) -> pa.Table:
    """Decode the Parquet file ``data``, the object ``name`` of a store.

    The result has exactly ``schema`` (text, whole numbers, floats, lists of floats), without metadata, and
    ``rows`` rows, or at most as many where not ``exact``; ``most_values`` is the most that a list may hold.

    Nothing is decoded before the footer and every page's header have been checked: columns, rows, values and
    decompressed bytes add up, only PLAIN, RLE and dictionary encodings under zstd. Text is decoded as a
    dictionary, and spelt out once the sum of its lengths is known to be at most :data:`MEAN_TEXT` a row.
    So at most about 1.2 KiB a row and column of text, 40 bytes of numbers and 16 bytes a listed value are
    taken, plus 9 MiB. What stays unbounded are mistakes in Arrow's and zstd's own decoders.

    Raises :class:`StoreDamagedError`, naming the object and what is wrong with it.
    """
    with table_errors(name):
        table = _decode(data, schema, rows, exact=exact, most_values=most_values)
        table.validate(full=True)
        return _plain(table, schema)


@contextmanager
def table_errors(name: str) -> Iterator[None]:
    """Raise what is found wrong with an object as one sentence that names it."""
    try:
        yield
    except (ValueError, LookupError, OSError, OverflowError, MemoryError, pa.ArrowException) as error:
        first = " ".join(str(error)[:400].split()).removesuffix(".")
        raise StoreDamagedError(
            f"{name} is no such table ({first or 'it cannot be decoded'}); do not use this store, or "
            f"repair it with `ser-features build --check` and its corpora"
        ) from error


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A table for pandas, which follows the types alone and nothing that a file says."""
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas(ignore_metadata=True)
    return frame


def _decode(data: bytes, schema: pa.Schema, rows: int, *, exact: bool, most_values: int) -> pa.Table:
    """The table, its text as dictionaries."""
    layout = read_layout(data, len(schema))
    if layout.rows > rows or (exact and layout.rows != rows):
        raise ValueError(f"it has {layout.rows:,} rows, {'' if exact else 'at most '}{rows:,} would be right")
    for field, chunks in zip(schema, layout.columns, strict=True):
        _require_bounded(field, chunks, layout.rows, most_values)
    with _open(data) as file:
        _require_columns(file.schema_arrow, schema)
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    with _open(data, read_dictionary=text) as file:
        return file.read(use_pandas_metadata=False)


def _require_bounded(field: pa.Field, chunks: Sequence[Chunk], rows: int, most_values: int) -> None:
    """What a column's pages announce, before any of them is decompressed."""
    each = most_values if pa.types.is_list(field.type) else 1
    width = MEAN_TEXT + 16 if pa.types.is_string(field.type) else 24
    most = rows * max(1, each)
    used = number = 0
    for chunk in chunks:
        announced = 0
        for page in chunk.pages():
            used += page.size
            number += 1
            announced += 0 if page.dictionary else page.count
            if used > _SLACK + most * width or number > 256 + most // 256 or page.count > most:
                raise ValueError(
                    f"its column {field.name!r} would take {used:,} bytes in {number:,} pages with "
                    f"{page.count:,} values in one"
                )
        if announced != chunk.count or not chunk.rows <= announced <= chunk.rows * max(1, each):
            raise ValueError(
                f"its column {field.name!r} announces {announced:,} values for {chunk.rows:,} rows"
            )


def _open(data: bytes, **options: Any) -> pq.ParquetFile:
    return pq.ParquetFile(
        pa.BufferReader(data),
        pre_buffer=False,
        thrift_string_size_limit=_MOST_NAME,
        thrift_container_size_limit=_MOST_ITEMS,
        schema_depth_limit=4,
        arrow_extensions_enabled=False,
        **options,
    )


def _require_columns(found: pa.Schema, schema: pa.Schema) -> None:
    """The columns of the file are those of ``schema``: names, order, types, what may be null."""
    if len(found) != len(schema):
        raise ValueError(f"it has {len(found):,} columns, {len(schema)} would be right")
    for got, wanted in zip(found, schema, strict=True):
        if got.name != wanted.name:
            raise ValueError(f"it has a column {got.name[:60]!r} where {wanted.name!r} would be right")
        same = got.type == wanted.type
        if pa.types.is_list(got.type) and pa.types.is_list(wanted.type):
            same = got.type.value_type == wanted.type.value_type
        if not same or got.nullable != wanted.nullable:
            raise ValueError(
                f"its column {wanted.name!r} has the type {_shown(got)}, {_shown(wanted)} would be right"
            )


def _shown(field: pa.Field) -> str:
    return f"{str(field.type)[:60]}{'' if field.nullable else ' not null'}"


def _plain(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Text spelt out, once it is known to be of reasonable length; no nulls where there may be none."""
    columns = []
    for field in schema:
        column = table[field.name]
        if column.null_count and not field.nullable:
            raise ValueError(f"its column {field.name!r} holds nulls")
        if pa.types.is_dictionary(column.type):
            _require_bounded_text(field.name, column)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema).replace_schema_metadata(None)


def _require_bounded_text(name: str, column: pa.ChunkedArray) -> None:
    total = 0
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy(zero_copy_only=False)
        if len(lengths) == 0:
            continue
        longest = int(lengths.max())
        if longest > MOST_TEXT:
            raise ValueError(f"its column {name!r} holds a text of {longest:,} bytes")
        total += int(lengths[chunk.indices.drop_null().to_numpy()].sum(dtype=np.int64))
    if total > _SLACK + len(column) * MEAN_TEXT:
        raise ValueError(f"its column {name!r} would take {total:,} bytes")
