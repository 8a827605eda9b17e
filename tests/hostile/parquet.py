"""Parquet files as somebody would make them who means harm, written by hand where no library would."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq


def write(table: pa.Table, **options: object) -> bytes:
    """The table as one Parquet file, with the writer's options."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **{"compression": "zstd", **options})
    return buffer.getvalue()


@dataclass
class Struct:
    """A Thrift struct in the compact protocol, field by field."""

    parts: list[bytes] = field(default_factory=list)
    last: int = 0

    def _head(self, number: int, kind: int) -> None:
        self.parts.append(bytes([(number - self.last) << 4 | kind]))
        self.last = number

    def i32(self, number: int, value: int) -> Struct:
        self._head(number, 5)
        self.parts.append(varint(zigzag(value)))
        return self

    def i64(self, number: int, value: int) -> Struct:
        self._head(number, 6)
        self.parts.append(varint(zigzag(value)))
        return self

    def text(self, number: int, value: bytes) -> Struct:
        self._head(number, 8)
        self.parts.append(varint(len(value)) + value)
        return self

    def structs(self, number: int, values: list[Struct]) -> Struct:
        self._head(number, 9)
        self.parts.append(bytes([len(values) << 4 | 12]) + b"".join(value.encode() for value in values))
        return self

    def struct(self, number: int, value: Struct) -> Struct:
        self._head(number, 12)
        self.parts.append(value.encode())
        return self

    def encode(self) -> bytes:
        return b"".join(self.parts) + b"\0"


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def data_page(values: int, size: int, body: bytes, encoding: int = 0) -> bytes:
    """A data page of version 1 that announces ``values`` and ``size`` bytes, whatever ``body`` is."""
    part = Struct().i32(1, values).i32(2, encoding).i32(3, 3).i32(4, 3)
    return Struct().i32(1, 0).i32(2, size).i32(3, len(body)).struct(5, part).encode() + body


def dictionary_page(values: int, size: int, body: bytes) -> bytes:
    """A dictionary page that announces ``values`` and ``size`` bytes, whatever ``body`` is."""
    part = Struct().i32(1, values).i32(2, 0)
    return Struct().i32(1, 2).i32(2, size).i32(3, len(body)).struct(7, part).encode() + body


def with_chunk(data: bytes, column: int, chunk: bytes) -> bytes:
    """A file of one row group, with the bytes of one column's chunk replaced by others of the same length.

    A shorter ``chunk`` is not possible: the footer is left as it is.
    """
    found = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(column)
    start = found.dictionary_page_offset if found.has_dictionary_page else found.data_page_offset
    assert len(chunk) == found.total_compressed_size, (len(chunk), found.total_compressed_size)
    return data[:start] + chunk + data[start + len(chunk) :]


def metadata_of(table: pa.Table, metadata: Mapping[bytes, bytes]) -> pa.Table:
    return table.replace_schema_metadata(dict(metadata))
