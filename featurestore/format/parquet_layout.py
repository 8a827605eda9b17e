"""The layout that a Parquet file declares, checked before a library that trusts it reads the file.

A column of a few bytes can tell its reader to allocate 2 GiB per page, or to repeat one number two billion
times. Arrow (26) trusts page headers, and ends the whole process on some broken footers. Both are therefore
parsed here first, by a parser that accepts only what a writer of plain tables writes.

Format: Apache Parquet, ``parquet.thrift``: ``FileMetaData`` and ``PageHeader``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from featurestore.format.thrift import Struct, natural, read_struct

_MAGIC = b"PAR1"
_MOST_FOOTER = 2 * 2**20
_ROWS_PER_GROUP = 50_000
_UNCOMPRESSED, _ZSTD = 0, 6

_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_PARTS = {_DATA_PAGE: 5, _DICTIONARY_PAGE: 7}
_OTHER_PARTS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True)
class Page:
    """One page: whether it is the dictionary, its number of values, and its decompressed bytes."""

    dictionary: bool
    count: int
    size: int


@dataclass(frozen=True)
class Chunk:
    """A column within a row group: its rows, the number of values it announces, and its bytes as stored."""

    rows: int
    count: int
    stored: memoryview

    def pages(self) -> Iterator[Page]:
        """Its pages, which must fill it exactly.

        Raises :class:`ValueError` for anything other than an optional dictionary page followed by version 1
        data pages with PLAIN or dictionary encoding and RLE levels.
        """
        start = 0
        while start < len(self.stored):
            header, body = read_struct(self.stored, start)
            page = _page(header, first=start == 0)
            start = body + natural(header, 3)
            if start > len(self.stored):
                raise ValueError("a page runs past the end of its column")
            yield page


@dataclass(frozen=True)
class Layout:
    """``rows``: number of rows in the file. ``columns``: the chunks of each column, in row-group order."""

    rows: int
    columns: tuple[tuple[Chunk, ...], ...]


def read_column_names(data: bytes) -> tuple[bytes, ...]:
    """Names of the columns, or of the parts of those that are lists. Raises :class:`ValueError`."""
    names = [part.get(4) for part in _structs(_footer(data), 2)[1:]]  # the first is the table itself
    if not all(isinstance(name, bytes) for name in names):
        raise ValueError("its footer lacks the name of a column")
    return tuple(name for name in names if isinstance(name, bytes))


def read_layout(data: bytes, columns: int) -> Layout:
    """Read the layout of a file with ``columns`` columns. Raises :class:`ValueError` if anything is wrong."""
    footer = _footer(data)
    rows, groups = natural(footer, 3), _structs(footer, 4)
    if len(_structs(footer, 2)) > 1 + 3 * columns:
        raise ValueError(f"it has more than {columns} columns: {len(_structs(footer, 2)):,} parts")
    if len(groups) > 16 + rows // _ROWS_PER_GROUP:
        raise ValueError(f"it is cut into {len(groups):,} row groups")
    table = [[_chunk(part, natural(group, 3), data) for part in _structs(group, 1)] for group in groups]
    if any(len(row) != columns for row in table) or sum(natural(group, 3) for group in groups) != rows:
        raise ValueError(f"its row groups do not add up to {rows:,} rows of {columns} columns")
    return Layout(rows, tuple(zip(*table, strict=True)) if table else ((),) * columns)


def _footer(data: bytes) -> Struct:
    if len(data) < 12 or data[:4] != _MAGIC or data[-4:] != _MAGIC:
        raise ValueError("it is not a Parquet file")
    size = int.from_bytes(data[-8:-4], "little")
    if size > min(_MOST_FOOTER, len(data) - 12):
        raise ValueError(f"its footer has {size:,} bytes")
    footer, end = read_struct(memoryview(data)[-8 - size : -8])
    if end != size or footer.keys() - {1, 2, 3, 4, 5, 6, 7}:
        raise ValueError("its footer is encrypted, or has fields that no table needs")
    return footer


def _chunk(part: Struct, rows: int, data: bytes) -> Chunk:
    column = part.get(3)
    if not isinstance(column, dict) or part.keys() - {2, 3, 4, 5, 6, 7}:
        raise ValueError("a column is encrypted or in another file")
    if natural(column, 4) not in {_UNCOMPRESSED, _ZSTD}:
        raise ValueError(f"a column is compressed by codec {column[4]!r}, which is not zstd")
    if rows == natural(column, 5) == 0:  # nothing is read then, wherever it points
        return Chunk(0, 0, memoryview(b""))
    start = natural(column, 9)
    if 11 in column and 0 < natural(column, 11) < start:  # Arrow starts reading there
        start = natural(column, 11)
    stop = start + natural(column, 7)
    if not len(_MAGIC) <= start <= stop <= len(data) - 8:
        raise ValueError("a column lies outside the file")
    return Chunk(rows, natural(column, 5), memoryview(data)[start:stop])


def _page(header: Struct, *, first: bool) -> Page:
    kind = natural(header, 1)
    part = header.get(_PARTS.get(kind, 0))
    if not isinstance(part, dict) or len(_OTHER_PARTS & header.keys()) != 1:
        raise ValueError(f"a page is of kind {kind}")
    encoding = natural(part, 2)
    if kind == _DICTIONARY_PAGE:
        known = first and encoding in {_PLAIN, _PLAIN_DICTIONARY}
    else:
        known = encoding in {_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY}
        known = known and natural(part, 3) == natural(part, 4) == _RLE
    if not known:
        raise ValueError("a page has an encoding other than PLAIN, RLE and dictionary")
    return Page(kind == _DICTIONARY_PAGE, natural(part, 1), natural(header, 2))


def _structs(fields: Struct, number: int) -> list[Struct]:
    found = fields.get(number)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError("its footer lacks its columns or row groups")
    return found
