"""Untrusted Parquet files, read within bounds on memory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featurestore.format.parquet_layout import Chunk, read_column_names, read_layout
from schemas.errors import StoreDamagedError

MOST_TEXT = 32_768
"""Bytes of the longest text in a table."""

MEAN_TEXT = 512
"""Bytes of text per row in one column, averaged over a table, in addition to :data:`_SLACK`."""

_SLACK = 2**20
_MOST_ITEMS = 20_000
_MOST_NAME = 2**20


def read_table(
    data: bytes,
    name: str,
    schema: pa.Schema,
    rows: int,
    *,
    exact: bool = True,
    most_values: int = 0,
    optional: Sequence[pa.Field] = (),
) -> pa.Table:
    """Decode the Parquet file ``data``, the object ``name`` of a store.

    The result has exactly ``schema`` (text, whole numbers, floats, lists of floats), without metadata. It has
    ``rows`` rows, or at most ``rows`` if not ``exact``. ``most_values`` is the most values a list may hold.
    Those of the columns ``optional`` that the file has follow the others, in this order.

    Nothing is decoded before the footer and the header of every page have been checked: columns, rows, values
    and decompressed bytes must add up, and only PLAIN, RLE and dictionary encodings with zstd are allowed.
    Text is decoded as a dictionary and expanded only once its total length is known to be at most
    :data:`MEAN_TEXT` per row. Reading therefore takes at most about 1.2 KiB per row and text column, 40 bytes
    per number and 16 bytes per list value, plus 9 MiB. Bugs in the decoders of Arrow and zstd themselves are
    not covered.

    Raises :class:`StoreDamagedError`, naming the object and what is wrong with it.
    """
    with table_errors(name):
        schema = _with_optional(data, schema, optional)
        table = _decode(data, schema, rows, exact=exact, most_values=most_values)
        table.validate(full=True)
        return _plain(table, schema)


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as one Parquet file with zstd compression."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


@contextmanager
def table_errors(name: str) -> Iterator[None]:
    """Turn any error about a table into a :class:`StoreDamagedError` that names the object."""
    try:
        yield
    except (ValueError, LookupError, OSError, OverflowError, MemoryError, pa.ArrowException) as error:
        first = " ".join(str(error)[:400].split()).removesuffix(".")
        raise StoreDamagedError(
            f"{name} is damaged ({first or 'it cannot be decoded'}); do not use this store, or repair it "
            f"with `ser-features build --check` and its corpora"
        ) from error


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a pandas frame, from its types alone: pandas metadata stored in the file is ignored."""
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas(ignore_metadata=True)
    return frame


def _with_optional(data: bytes, schema: pa.Schema, optional: Sequence[pa.Field]) -> pa.Schema:
    if not optional:
        return schema
    found = read_column_names(data)
    return pa.schema([*schema, *(field for field in optional if field.name.encode() in found)])


def _decode(data: bytes, schema: pa.Schema, rows: int, *, exact: bool, most_values: int) -> pa.Table:
    """Decode the table, with text columns as dictionaries."""
    layout = read_layout(data, len(schema))
    if layout.rows > rows or (exact and layout.rows != rows):
        raise ValueError(f"it has {layout.rows:,} rows, expected {'' if exact else 'at most '}{rows:,}")
    for field, chunks in zip(schema, layout.columns, strict=True):
        _require_bounded(field, chunks, layout.rows, most_values)
    with _open(data) as file:
        _require_columns(file.schema_arrow, schema)
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    with _open(data, read_dictionary=text) as file:
        return file.read(use_pandas_metadata=False)


def _require_bounded(field: pa.Field, chunks: Sequence[Chunk], rows: int, most_values: int) -> None:
    """Check what the pages of a column announce, before any of them is decompressed."""
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
    """Check that the file has the columns of ``schema``: names, order, types and nullability."""
    if len(found) != len(schema):
        raise ValueError(f"it has {len(found):,} columns, expected {len(schema)}")
    for got, wanted in zip(found, schema, strict=True):
        if got.name != wanted.name:
            raise ValueError(f"it has a column {got.name[:60]!r}, expected {wanted.name!r}")
        same = got.type == wanted.type
        if pa.types.is_list(got.type) and pa.types.is_list(wanted.type):
            same = got.type.value_type == wanted.type.value_type
        if not same or got.nullable != wanted.nullable:
            raise ValueError(
                f"its column {wanted.name!r} has the type {_type_name(got)}, expected {_type_name(wanted)}"
            )


def _type_name(field: pa.Field) -> str:
    return f"{str(field.type)[:60]}{'' if field.nullable else ' not null'}"


def _plain(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Expand text once its length is known to be reasonable; refuse nulls in columns that allow none."""
    columns = []
    for field in schema:
        column = table[field.name]
        if column.null_count and not field.nullable:
            raise ValueError(f"its column {field.name!r} contains nulls")
        if pa.types.is_dictionary(column.type):
            _require_bounded_text(field.name, column)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema).replace_schema_metadata(None)


def _require_bounded_text(name: str, column: pa.ChunkedArray) -> None:
    total = longest = 0
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy(zero_copy_only=False)
        if len(lengths) == 0:
            continue
        longest = max(longest, int(lengths.max()))
        total += int(lengths[chunk.indices.drop_null().to_numpy()].sum(dtype=np.int64))
    require_bounded_text(name, longest, total, len(column))


def require_bounded_text(name: str, longest: int, total: int, rows: int) -> None:
    """Check the text of a column with ``rows`` rows, by the bytes of its longest text and of all texts.

    Raises ValueError if a table with such a column cannot be read.
    """
    if longest > MOST_TEXT:
        raise ValueError(
            f"its column {name!r} contains a text of {longest:,} bytes, but at most {MOST_TEXT:,} "
            f"are possible"
        )
    most = _SLACK + rows * MEAN_TEXT
    if total > most:
        raise ValueError(
            f"its column {name!r} would take {total:,} bytes, but at most {most:,} are possible for "
            f"{rows:,} rows"
        )
