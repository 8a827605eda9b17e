"""Where each object of a store stands: names of format 1, relative to the store, forward slashes."""

from __future__ import annotations

from pathlib import PurePosixPath

from schemas.errors import StoreDamagedError

FORMAT = "ser-feature-store"
FORMAT_VERSION = 2

STORE_JSON = "store.json"
MANIFEST = "manifest.parquet"
VIEWS = "views.parquet"
STATISTICS = "statistics.parquet"
ROOT_METADATA = "zarr.json"
RECORDS = "records"
LOCK = ".build.lock"
"""Held by the process that builds; no object of the store."""

PARTIAL_SUFFIX = ".partial"
"""Ends the names of files that are being written; no object of the store."""


def corpus_record_path(dataset: str) -> str:
    """Description of a corpus and of the files of its tree that are no clips."""
    return f"{RECORDS}/{dataset}/corpus.json"


def unit_record_path(dataset: str, unit: int) -> str:
    """Record of a finished unit."""
    return f"{RECORDS}/{dataset}/{unit:05d}.json"


def unit_statistics_path(dataset: str, unit: int) -> str:
    """Moments of a finished unit's features."""
    return f"{RECORDS}/{dataset}/{unit:05d}.parquet"


def shard_path(dataset: str, feature: str, view: int, unit: int) -> str:
    """The shard that holds one view of a unit's clips for one feature."""
    return f"{dataset}/{feature}/c/{view}/{unit}/0/0"


def is_shard(name: str) -> bool:
    """Whether an object holds features: its name has the form of :func:`shard_path`."""
    parts = name.split("/")
    return len(parts) == 7 and parts[2] == "c" and parts[4].isdigit()


def safe_object_name(name: str) -> str:
    """``name`` if it stays within the store. Raises :class:`StoreDamagedError` if it would lead out of it."""
    path = PurePosixPath(name)
    if (
        not name
        or path.is_absolute()
        or "\\" in name
        or "\0" in name
        or str(path) != name
        or ".." in path.parts
    ):
        raise StoreDamagedError(
            f"store.json names an object outside the store: {name!r}; do not use this store"
        )
    return name
