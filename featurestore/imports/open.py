"""Which kind of source the given files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from featurestore.imports.arrays import read_folder
from featurestore.imports.kaldi import ARK, SCP, read_archives
from featurestore.imports.source import FeatureSource
from featurestore.imports.tables import PARQUET_SUFFIX, TEXT_SUFFIXES, TableOptions, read_tables
from schemas.errors import FeatureSourceError, UsageError

_KINDS = "a CSV or Parquet table, a folder of .npy files, or a Kaldi .ark or .scp"


def open_source(paths: Sequence[Path], options: TableOptions) -> FeatureSource:
    """Read the headers, or all, of the given files, and hash them.

    Raises :class:`UsageError` if the files cannot be one source, :class:`FeatureSourceError` if they are
    unusable.
    """
    for path in paths:
        if not path.exists():
            raise FeatureSourceError(f"there is no file or folder '{path}'; give {_KINDS}")
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1 or (kinds == {"folder"} and len(paths) > 1):
        raise UsageError("give files of one kind, or one folder; import other sources under another name")
    (kind,) = kinds
    if kind != "table" and options != TableOptions():
        raise UsageError(f"--key and --drop are for tables, but '{paths[0]}' is not a table; leave them out")
    if kind == "table":
        return read_tables(paths, options)
    return read_archives(paths) if kind == "archive" else read_folder(paths[0])


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folder"
    suffix = path.suffix.lower()
    if suffix in (*TEXT_SUFFIXES, PARQUET_SUFFIX):
        return "table"
    if suffix in (ARK, SCP):
        return "archive"
    raise UsageError(f"'{path}' cannot be imported; give {_KINDS}")
