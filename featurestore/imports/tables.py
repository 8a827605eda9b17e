"""Tables of features: CSV of openSMILE, opensmile-python, audinterface and nkululeko, and Parquet.

A table has a column that names the clip; its other columns are numbers. With a column of times, the rows of a
clip are its frames, in their order.
"""

from __future__ import annotations

import csv
import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.imports.source import Array, Entry, FeatureSource, file_names, hash_files
from schemas.errors import FeatureSourceError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text

MOST_TABLE = 8 * 2**30
"""Bytes of a table, which is held in memory."""

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIX = ".parquet"

KEYS = ("clip_id", "file", "path", "filename", "name")
"""Columns that name the clip, in the order in which they are looked for."""

TIMES = ("frametime", "frameindex", "start", "end")
"""Columns, in lower case, that number the frames of a clip or say when they are; they are no features."""

_SEPARATORS = ";,\t"


@dataclass(frozen=True)
class TableOptions:
    """``key`` : column that names the clip; None: one of :data:`KEYS`. ``drop`` : columns to leave out."""

    key: str | None = None
    drop: tuple[str, ...] = ()


def read_tables(paths: Sequence[Path], options: TableOptions) -> FeatureSource:
    """The entries of one or several tables with the same columns.

    Raises :class:`FeatureSourceError` for a file that is no such table.
    """
    names = file_names(paths)
    parquet = paths[0].suffix.lower() == PARQUET_SUFFIX
    hashes: dict[str, str] = {}
    frames: list[pd.DataFrame] = []
    for name, path in zip(names, paths, strict=True):
        data = _read(path)
        hashes[name] = hashlib.sha256(data).hexdigest()
        frames.append(_parse(data, path, options.key, parquet=parquet))
        if list(frames[-1].columns) != list(frames[0].columns):
            raise FeatureSourceError(f"'{path}' has other columns than '{paths[0]}'; import them one by one")
    table = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    key = _find_key(table, options.key, paths[0])
    times, values = _split_columns(table, key, options.drop, paths[0])
    return FeatureSource(
        form="Parquet table" if parquet else "CSV table",
        names=names,
        sha256=hash_files(hashes),
        entries=_entries(table, key, times, values, paths[0]),
        columns=tuple(values),
    )


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path, MOST_TABLE)
    except OSError as error:
        raise FeatureSourceError(
            f"cannot read '{path}': {error.strerror or error}; check the path"
        ) from error


def _parse(data: bytes, path: Path, key: str | None, *, parquet: bool) -> pd.DataFrame:
    try:
        table = _parse_parquet(data) if parquet else _parse_text(decode_text(data), key)
    except TextError as error:
        raise FeatureSourceError(f"the table '{path}' {error}") from error
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        why = str(error).partition("\n")[0][:200]
        raise FeatureSourceError(f"'{path}' is not a table that can be read ({why})") from error
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    if not len(table):
        raise FeatureSourceError(f"the table '{path}' has no rows; give one row per clip, below a header")
    return table


def _parse_parquet(data: bytes) -> pd.DataFrame:
    table: pd.DataFrame = pq.read_table(pa.BufferReader(data)).to_pandas()
    named = any(name is not None for name in table.index.names)
    return table.reset_index() if named else table


def _parse_text(text: str, key: str | None) -> pd.DataFrame:
    header = text.lstrip("\n\r").partition("\n")[0]
    if header.lower().startswith("@relation"):
        raise TextError("is an ARFF file; let openSMILE write CSV (-csvoutput), or convert it")
    separator = max(_SEPARATORS, key=header.count)
    columns = next(csv.reader([header.strip()], delimiter=separator), [])
    names = [name for name in columns if name.strip() == key or name.strip().lower() in KEYS]
    # Names stay text: 0001 is not 1. A separator at the end of each row does not shift the columns.
    words = dict.fromkeys(names, str)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", pd.errors.ParserWarning)
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=words, index_col=False, low_memory=False)
    if any(issubclass(each.category, pd.errors.ParserWarning) for each in caught):
        _require_empty_ends(text, separator, len(columns))
    # Columns without a name are row numbers that pandas has written, or behind a separator at the end.
    nameless = [f"Unnamed: {place}" for place, name in enumerate(columns) if not name.strip()]
    return table.drop(columns=nameless, errors="ignore")


def _require_empty_ends(text: str, separator: str, columns: int) -> None:
    """Raise :class:`TextError` if a row has values beyond the last column, which pandas drops."""
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    for row in rows:
        if any(cell.strip() for cell in row[columns:]):
            raise TextError(
                f"has {len(row)} values in line {rows.line_num}, but {columns} columns; correct the line"
            )


def _find_key(table: pd.DataFrame, given: str | None, path: Path) -> str:
    columns = list(table.columns)
    if given is not None:
        if given not in columns:
            raise FeatureSourceError(f"the table '{path}' has no column '{given}'; it has {_list(columns)}")
        return given
    by_name = {name.lower(): name for name in reversed(columns)}
    found = next((by_name[name] for name in KEYS if name in by_name), None)
    if found is None:
        raise FeatureSourceError(
            f"no column of the table '{path}' is called {', '.join(KEYS[:-1])} or {KEYS[-1]} "
            f"({_list(columns)}); name the column that names the clips with --key COLUMN"
        )
    return found


def _split_columns(
    table: pd.DataFrame, key: str, drop: Sequence[str], path: Path
) -> tuple[list[str], list[str]]:
    """Columns with times, and columns with values. Raises unless the latter are numbers."""
    columns = [str(name) for name in table.columns if name != key]
    for name in drop:
        if name not in columns:
            raise FeatureSourceError(
                f"--drop {name}: the table '{path}' has no such column of values; it has {_list(columns)}"
            )
    times = [name for name in columns if name.lower() in TIMES and name not in drop]
    values = [name for name in columns if name not in {*times, *drop}]
    words = [name for name in values if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise FeatureSourceError(
            f"the table '{path}' has columns that are not numbers: {_list(words)}; leave them out "
            f"with --drop {','.join(words[:5])}{',…' if len(words) > 5 else ''}"
        )
    if not values:
        raise FeatureSourceError(f"the table '{path}' has no columns besides {_list([key, *times])}")
    return times, values


def _entries(
    table: pd.DataFrame, key: str, times: Sequence[str], values: Sequence[str], path: Path
) -> tuple[Entry, ...]:
    numbers = table[list(values)].to_numpy(np.float64)
    keys = [_clean(name) for name in table[key].tolist()]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(keys):
        rows.setdefault(name, []).append(row)
    several = next((name for name, found in rows.items() if len(found) > 1), None)
    if several is None:
        return tuple(
            Entry(name, (len(values),), partial(_row, numbers, row)) for name, (row,) in rows.items()
        )
    if not times:
        first, second = (row + 1 for row in rows[several][:2])
        raise FeatureSourceError(
            f"rows {first} and {second} of the table '{path}' both name the clip '{several}', and no column "
            f"frameTime, frameIndex, start or end says that they are frames; keep one of them"
        )
    moments = _moments(table[times[0]])
    for name, found in rows.items():
        if (np.diff(moments[found]) < 0).any():
            raise FeatureSourceError(
                f"the rows of '{name}' in the table '{path}' are not in the order of {times[0]}; "
                f"sort the table"
            )
    shape = len(values)
    return tuple(
        Entry(name, (len(found), shape), partial(_frames, numbers, tuple(found)))
        for name, found in rows.items()
    )


def _row(numbers: Array, row: int) -> Array:
    values: Array = numbers[row]
    return values


def _frames(numbers: Array, rows: tuple[int, ...]) -> Array:
    frames: Array = numbers[list(rows)]
    return frames


def _clean(name: Any) -> str:
    """The name of a clip; openSMILE puts it in single quotes."""
    text = str(name).strip()
    quoted = len(text) > 1 and text[0] == text[-1] == "'"
    return text[1:-1] if quoted else text


def _moments(column: pd.Series[Any]) -> Array:
    """A column of times as numbers: seconds, or durations such as ``0 days 00:00:01.5``."""
    if not pd.api.types.is_numeric_dtype(column):
        column = pd.to_timedelta(column, errors="coerce").dt.total_seconds()
    moments: Array = np.array(column, dtype=np.float64)
    return moments


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8:,} more" if len(names) > 8 else shown
