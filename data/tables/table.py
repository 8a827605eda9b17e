"""Reads a table of recordings: CSV, TSV, Parquet, JSON lines, or the lists of a Kaldi data directory."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.own_recordings.spreadsheet import read_rows
from data.tables.kaldi import COLUMNS, SCP, read_kaldi
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.files.user_path import as_on_disk

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson")
"""Suffixes of tables, in lower case. The first three are text with a header."""

MOST_TABLE_FILE = 512 * 2**20
"""Bytes of a table: some millions of rows."""


@dataclass(frozen=True)
class RecordingTable:
    """Content of a table as text, empty if a cell has no value."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """One value per column."""
    lines: tuple[int, ...]
    """Line of each row in the file, from 1; in Parquet, the row's number from 1."""

    def where(self, index: int) -> str:
        """Where a row is, for messages: ``line 7``."""
        return f"{'row' if self.path.suffix.lower() == '.parquet' else 'line'} {self.lines[index]}"


def is_table(path: Path) -> bool:
    """Whether the name of a file is that of a table."""
    return path.name == SCP or path.suffix.lower() in TABLE_SUFFIXES


def read_table(path: Path, known: Collection[str]) -> RecordingTable:
    """Read the table at ``path``. Rows without any value are left out.

    ``known`` are names of columns, which tell the separator of a text. Raises :class:`CorpusError` if the
    file cannot be read, is not a table or has no rows.
    """
    path = as_on_disk(path)
    if path.name == SCP:
        lists = read_kaldi(path)
        return _table(lists.path, COLUMNS, lists.rows)
    try:
        data = read_regular_file(path, MOST_TABLE_FILE)
        match path.suffix.lower():
            case ".parquet":
                columns, rows = _read_parquet(data)
            case ".jsonl" | ".ndjson":
                columns, rows = _read_json_lines(data)
            case _:
                columns, rows = _read_text(data, known)
    except TextError as error:
        raise CorpusError(f"the table '{path}' {error}") from error
    except (OSError, csv.Error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
        raise CorpusError(
            f"cannot read the table '{path}': {why}; give a CSV, TSV, JSONL or Parquet file"
        ) from error
    return _table(path, columns, rows)


def _table(
    path: Path, columns: tuple[str, ...], rows: Sequence[tuple[int, tuple[str, ...]]]
) -> RecordingTable:
    kept = [(line, row) for line, row in rows if any(row)]
    if not kept:
        raise CorpusError(f"the table '{path}' has no rows; give one row per recording, below a header")
    return RecordingTable(path, columns, tuple(row for _, row in kept), tuple(line for line, _ in kept))


_Rows = tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]


def _read_text(data: bytes, known: Collection[str]) -> _Rows:
    reader = read_rows(data, known)
    names = [name or "" for name in reader.fieldnames or ()]
    used = [name for name in dict.fromkeys(names) if name.strip()]
    rows = [(reader.line_num, tuple((line[name] or "").strip() for name in used)) for line in reader]
    return tuple(name.strip() for name in used), rows


def _read_json_lines(data: bytes) -> _Rows:
    objects = list(_objects(decode_text(data)))
    columns = tuple(dict.fromkeys(name for _, values in objects for name in values))
    rows = [(line, tuple(_as_text(values.get(name)) for name in columns)) for line, values in objects]
    return columns, rows


def _objects(text: str) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TextError(f"is not valid JSON in line {number}; give one object per line") from error
            if not isinstance(values, dict):
                raise TextError(f"has no JSON object in line {number}; give one object per line")
            yield number, values


def _read_parquet(data: bytes) -> _Rows:
    import pyarrow as pa  # slow to import, and most tables are text
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise TextError("is not a Parquet file that can be read; write it again") from error
    columns = tuple(table.column_names)
    texts = [[_as_text(value) for value in column.to_pylist()] for column in table.columns]
    return columns, [(number, row) for number, row in enumerate(zip(*texts, strict=True), start=1)]


def _as_text(value: object) -> str:
    """A cell as text: empty for null and NaN, numbers without a needless ``.0``."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
