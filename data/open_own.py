"""Opens a user's own recordings: a folder per emotion, or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.corpus import Corpus
from data.own_recordings.description import (
    default_name,
    read_description,
)
from data.own_recordings.folder import FolderCorpus
from data.own_recordings.table_fields import TableField
from data.tables.audformat_database import HEADER
from data.tables.corpus import TableCorpus
from data.tables.kaldi import SCP
from data.tables.table import is_table
from schemas.errors import CorpusError, UsageError
from schemas.files.user_path import as_on_disk

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Tables of Hugging Face's ``audiofolder``."""


@dataclass(frozen=True)
class OpenedCorpus:
    """A corpus, and the folder that contains its recordings."""

    corpus: Corpus
    root: Path
    identity: Path
    """What was opened: the folder, or the table."""


def open_own(
    path: Path, name: str | None = None, columns: Mapping[TableField, str] | None = None
) -> OpenedCorpus:
    """Open the folder or table at ``path``, by default with the name in its ``corpus.toml``, or that of the
    folder.

    A folder is opened by the table that its ``corpus.toml`` names, by the lists of a Kaldi data directory, by
    the header of an audformat database, or by a table called ``metadata``, as in Hugging Face's
    ``audiofolder``. ``columns`` maps fields to columns of the table.

    Raises :class:`UsageError` if ``name`` is invalid or ``columns`` are given for a folder without a table,
    and :class:`CorpusError` if ``corpus.toml`` or the table is unusable.
    """
    folder = path if path.is_dir() else path.parent
    table = path if path.is_file() else _table_in(folder)
    if table is None:
        if columns:
            raise UsageError(
                f"'{path}' is a folder without a table, but {', '.join(columns)} names a column; give the "
                f"path of a table"
            )
        return OpenedCorpus(FolderCorpus.open(folder, name), folder, folder)
    if table.name != HEADER and not is_table(table):
        raise CorpusError(f"'{table}' is not a table; give a folder, or a CSV, TSV, JSONL or Parquet file")
    description = read_description(folder)
    corpus = TableCorpus.open(table, name or default_name(folder, description), description, columns)
    return OpenedCorpus(corpus, corpus.root, table)


def has_table(folder: Path) -> bool:
    """Whether :func:`open_own` opens the folder by a table.

    Raises :class:`CorpusError` if its ``corpus.toml`` is unusable.
    """
    return _table_in(folder) is not None


def _table_in(folder: Path) -> Path | None:
    """The table that describes the recordings in ``folder``; None if folders do."""
    named = read_description(folder).table
    if named is not None:
        return as_on_disk(folder / named)
    if (folder / SCP).is_file():
        return folder / SCP
    if (folder / HEADER).is_file():
        return folder / HEADER
    return next((folder / each for each in METADATA if (folder / each).is_file()), None)
