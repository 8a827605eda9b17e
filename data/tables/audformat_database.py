"""Reads a database of audformat, audEERING's format: ``db.yaml``, and a CSV or Parquet file per table.

Neither the header nor pickled tables are loaded as the library does it: both could run code of whoever made
the database.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from data.own_recordings.table_fields import TableField
from data.tables.fields import KNOWN_COLUMNS
from data.tables.table import RecordingTable, cell_as_text
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.names import fold_name

if TYPE_CHECKING:
    import audformat
    import pandas as pd

HEADER = "db.yaml"
"""Header of a database; a folder that has it is one."""

_EMOTION: TableField = "emotion"


def read_audformat(header: Path, own: Mapping[TableField, str]) -> RecordingTable:
    """One row per file or segment of the table with the emotions of the database at ``header``.

    Columns are ``file``, for segments ``start`` and ``end`` in seconds, those of the table with usual names,
    what the labels of its schemes say, such as the gender of a speaker, ``split``, and the same of other
    tables. If two have one name, the first counts. ``own`` may name columns of other tables, as
    ``TABLE.COLUMN``.

    Raises :class:`CorpusError` if audformat is not installed, if the database is unusable, or if several
    tables have emotions and ``own`` names none.
    """
    if find_spec("audformat") is None:
        raise CorpusError(
            f"'{header}' is the header of an audformat database, but the package audformat is not installed; "
            f"pip install 'ser-features[audformat]'"
        )
    try:
        return _read(header, own)
    except CorpusError:
        raise
    except Exception as error:  # whatever the library meets in files of others
        why = str(error).partition("\n")[0] or type(error).__name__
        raise CorpusError(
            f"cannot read the audformat database '{header}': {why}; write it again with audformat"
        ) from error


def _read(header: Path, own: Mapping[TableField, str]) -> RecordingTable:
    database = _open(header)
    tables, column = _tables_with_emotions(database, header, own.get(_EMOTION, ""))
    for name in database.misc_tables:  # first: labels of columns may be in them
        _load(database.misc_tables[name], header, name)
    wanted = {fold_name(name) for name in (*KNOWN_COLUMNS, *own.values(), column)}
    described = {name: _described(database, header, name, wanted) for name in database.tables}
    whole = _concatenate([part for name in tables if (part := described[name]) is not None])
    for name, part in described.items():
        if name not in tables and part is not None:
            whole = _join(whole, part)
    whole = whole.rename(columns={column: own.get(_EMOTION, _EMOTION)})
    for exact in own.values():
        name, _, column = exact.rpartition(".")
        if exact not in whole and name in database.tables and column in database.tables[name].columns:
            other = _load(database.tables[name], header, name)[[column]]
            whole = _join(whole, other.rename(columns={column: exact}))
    return _as_table(header, whole, str(database.license or ""))


def _open(header: Path) -> audformat.Database:
    import audformat
    import yaml

    try:
        content = yaml.safe_load(decode_text(read_regular_file(header)))
    except TextError as error:
        raise CorpusError(f"'{header}' {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CorpusError(
            f"'{header}' is not valid YAML in line {line}; write it again with audformat"
        ) from error
    return audformat.Database.load_header_from_yaml(content)


def _tables_with_emotions(database: audformat.Database, header: Path, wanted: str) -> tuple[list[str], str]:
    """Tables whose rows are clips, and the column with their emotions.

    The column that ``wanted`` names; else a column that is called ``emotion`` or has the scheme ``emotion``:
    of the only table, of one called ``emotion``, or of several tables that are splits.
    """
    found = {
        f"{name}.{column}": (name, column)
        for name, table in database.tables.items()
        for column, facts in table.columns.items()
        if column == _EMOTION or facts.scheme_id == _EMOTION
    }
    if wanted:
        name, _, column = wanted.rpartition(".")
        if name not in database.tables or column not in database.tables[name].columns:
            every = [
                f"{name}.{column}" for name, table in database.tables.items() for column in table.columns
            ]
            raise CorpusError(
                f"the audformat database '{header}' has no column '{wanted}', only {_listed(every)}"
            )
        return [name], column
    if not found:
        raise CorpusError(
            f"the audformat database '{header}' has no table with a column or scheme '{_EMOTION}'; name the "
            f"column behind the path, as in NAME={header.parent}:{_EMOTION}=TABLE.COLUMN"
        )
    if len(found) == 1:
        ((name, column),) = found.values()
        return [name], column
    if (exact := f"{_EMOTION}.{_EMOTION}") in found:
        return [_EMOTION], found[exact][1]
    names, columns = [name for name, _ in found.values()], {column for _, column in found.values()}
    splits = [database.tables[name].split_id for name in names]
    if len(columns) == 1 and None not in splits and len(set(splits)) == len(splits):
        return names, columns.pop()
    raise CorpusError(
        f"the audformat database '{header}' has emotions in {_listed([*found])}; choose one of these columns "
        f"behind the path, as in NAME={header.parent}:{_EMOTION}={next(iter(found))}"
    )


def _load(table: audformat.Table | audformat.MiscTable, header: Path, name: str) -> pd.DataFrame:
    """Values of a table: from its Parquet or CSV file, but never from a pickle."""
    stem = f"{header.stem}.{name}"
    for suffix in ("parquet", "csv"):
        file = header.with_name(f"{stem}.{suffix}")
        if file.is_file():
            with tempfile.TemporaryDirectory() as folder:
                shutil.copyfile(file, Path(folder) / file.name)
                table.load(str(Path(folder) / stem))
            frame: pd.DataFrame = table.get()
            return frame
    if header.with_name(f"{stem}.pkl").is_file():
        raise CorpusError(
            f"the table '{name}' of '{header}' is stored only as a pickle, which can run code when it "
            f"is read; write it as Parquet, with audformat: db.save(FOLDER, storage_format='parquet')"
        )
    raise CorpusError(f"the table '{name}' of '{header}' has no file '{stem}.parquet' or '{stem}.csv'")


def _described(
    database: audformat.Database, header: Path, name: str, wanted: Collection[str]
) -> pd.DataFrame | None:
    """Wanted columns of a table, what the labels of its schemes say, and its split; None if it has none."""
    table = database.tables[name]
    own = [column for column in table.columns if fold_name(column) in wanted]
    said = {
        field: column
        for column in table.columns
        for field in _fields(database, table.columns[column].scheme_id)
        if fold_name(field) in wanted and field not in own
    }
    if not own and not said and table.split_id is None:
        return None
    frame = _load(table, header, name)[own]
    for field, column in said.items():
        frame[field] = table.columns[column].get(map=field)
    if table.split_id is not None and "split" not in frame:
        frame["split"] = table.split_id
    return frame


def _fields(database: audformat.Database, scheme_id: str | None) -> Iterator[str]:
    """What the labels of a scheme say: ``gender`` and ``age``, for speakers."""
    labels = database.schemes[scheme_id].labels if scheme_id is not None else None
    if isinstance(labels, str):
        yield from database.misc_tables[labels].columns
    elif isinstance(labels, dict):
        facts = [facts for facts in labels.values() if isinstance(facts, dict)]
        yield from dict.fromkeys(field for each in facts for field in each)


def _concatenate(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import audformat
    import pandas as pd

    if len({part.index.nlevels for part in parts}) > 1:
        parts = [part.set_axis(audformat.utils.to_segmented_index(part.index)) for part in parts]
    return pd.concat([part.astype(object) for part in parts])


def _join(whole: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Add columns of another table: to all segments of a file if that is about files."""
    about_files = other.index.nlevels == 1
    new = other[[column for column in other.columns if column not in whole.columns]]
    if not len(new.columns) or not (about_files or whole.index.nlevels > 1):
        return whole
    new = new[~new.index.duplicated()].astype(object)
    return whole.join(new, on="file" if about_files else ["file", "start", "end"])


def _as_table(header: Path, whole: pd.DataFrame, licence: str) -> RecordingTable:
    import pandas as pd

    rows = whole.reset_index()
    for column in {"start", "end"} & {*whole.index.names}:
        rows[column] = pd.to_timedelta(rows[column]).dt.total_seconds()
    texts = [[cell_as_text(value) for value in _objects(rows[column])] for column in rows.columns]
    if not len(rows):
        raise CorpusError(f"the audformat database '{header}' has no files with emotions")
    return RecordingTable(
        path=header,
        columns=tuple(map(str, rows.columns)),
        rows=tuple(zip(*texts, strict=True)),
        lines=tuple(range(1, len(rows) + 1)),
        unit="row",
        licence=licence,
    )


def _objects(values: pd.Series) -> pd.Series:
    """Values as Python objects, None for nothing."""
    return values.astype(object).where(values.notna(), None)


def _listed(columns: Sequence[str]) -> str:
    return f"{', '.join(columns[:12])}{', …' if len(columns) > 12 else ''}"
