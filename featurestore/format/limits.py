"""Bounds on what a store may declare, checked before anything is read or allocated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil

from featurestore.format.coordinates import coordinates
from featurestore.format.documents import DatasetEntry, StoreDocument
from featurestore.format.layout import MANIFEST, RECORDS, ROOT_METADATA, STATISTICS, STORE_JSON, VIEWS
from schemas.errors import StoreDamagedError
from schemas.names import is_corpus_name
from schemas.spec import StoreSpec

MOST_STORE_JSON = 128 * 2**20
"""Bytes of ``store.json``: at 140 per object, enough for five million clips with seven features and views."""

MOST_ROWS = 10_000_000
"""Rows in a store, over all corpora."""

MOST_CORPORA = 1_000
MOST_TITLE = 4_096
"""Characters in the title, the licence or the home page of a corpus."""

_SHARD_CLIPS = 256
_RECORD = 2**20
_TABLE = 16 * 2**20
_CLIP_JSON = 8 * 2**10
_CLIP_ROW = 2 * 2**10
_VIEW_ROW = 256
_SPEC_COPIES = 8
"""What is said of an imported feature, such as thousands of columns, is in metadata and records, indented."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def check_declared(document: StoreDocument) -> None:
    """Check that the totals in ``store.json`` are consistent and do not ask for absurd allocations.

    The check is cheap for any numbers. It runs before anything is derived from them, such as the
    list of object names; it does not check those names.

    Raises :class:`StoreDamagedError` if a number is impossible.
    """
    if problem := declaration_problem(document.datasets):
        raise _impossible(problem)
    rows = {name: extent.rows for name, extent in document.datasets.items()}
    units = sum(extent.units for extent in document.datasets.values())
    shards = units * len(document.spec.view_names) * sum(document.spec.layer_counts.values())
    if shards > len(document.objects):
        raise _impossible(
            f"declares {units:,} units, which need {shards:,} shards, "
            f"but lists {len(document.objects):,} objects"
        )
    bounds = _Bounds(document.spec, rows)
    for name, entry in document.objects.items():
        most = bounds.of(name)
        if not 0 <= entry.bytes <= most:
            raise _impossible(
                f"declares {_format_count(entry.bytes)} bytes for {name!r}, but at most {most:,} are possible"
            )


def declaration_problem(datasets: Mapping[str, DatasetEntry]) -> str:
    """What is impossible about these corpora, after the word "store.json"; empty if nothing is."""
    if len(datasets) > MOST_CORPORA:
        return f"lists {len(datasets):,} corpora, but at most {MOST_CORPORA:,} are possible"
    for name, extent in datasets.items():
        if problem := _corpus_problem(name, extent):
            return problem
    rows = sum(extent.rows for extent in datasets.values())
    return f"declares {rows:,} rows, but at most {MOST_ROWS:,} are possible" if rows > MOST_ROWS else ""


def text_problem(text: str) -> str:
    """Why a corpus cannot have this title, licence or home page; empty if it can."""
    if len(text) > MOST_TITLE:
        return f"has {len(text):,} characters, but at most {MOST_TITLE:,} are possible"
    if found := _CONTROL_CHARACTER.search(text):
        return f"contains the control character {found[0]!r}"
    return ""


def most_bytes(name: str, spec: StoreSpec, rows: Mapping[str, int]) -> int:
    """The most bytes that the object ``name`` may have if the corpora have ``rows`` rows.

    For a shard: incompressible chunks with the overhead of each codec, plus the index. For tables, records
    and metadata: a generous multiple of what they take.

    Raises :class:`StoreDamagedError` if a store has no object of this name.
    """
    return _Bounds(spec, rows).of(name)


class _Bounds:
    """The most bytes for each kind of object in a store, computed once."""

    def __init__(self, spec: StoreSpec, rows: Mapping[str, int]) -> None:
        views, features = len(spec.view_names), len(spec.features)
        total = sum(rows.values())
        moments = views * (features * 512 + 16 * sum(spec.coefficients.values()))
        names = len(coordinates(spec))
        described = _SPEC_COPIES * sum(len(one.model_dump_json()) for one in spec.imported)
        metadata = (3 + features + names) * 2**15 + 8 * MOST_TITLE * 3 + views * 512 + described
        chunks = ceil(spec.storage.shard_clips / spec.storage.chunk_clips)
        self._rows = rows
        self._store = {
            MANIFEST: _TABLE + total * _CLIP_ROW,
            VIEWS: _TABLE + total * views * _VIEW_ROW,
            STATISTICS: _TABLE + total * moments,
            STORE_JSON: MOST_STORE_JSON,
            ROOT_METADATA: _RECORD + (1 + len(rows)) * metadata,
        }
        per_unit = _SHARD_CLIPS * (_CLIP_JSON + views * _VIEW_ROW) + views * features * 1024
        self._unit = _RECORD + per_unit + described
        self._unit_table = _RECORD + _SHARD_CLIPS * moments
        self._metadata = _RECORD + metadata
        self._coordinates = {one.name: 64 * 2**10 + 16 * max(one.size, 512) for one in coordinates(spec)}
        self._layers = spec.layer_counts
        self._shards: dict[str, int] = {
            feature.name: chunks * (chunk + chunk // 128 + 1024) + 4096
            for feature in spec.features
            for chunk in (_chunk_bytes(spec, feature.name),)
        }

    def of(self, name: str) -> int:
        """The bound for one object. Raises :class:`StoreDamagedError` if a store has no such object."""
        parts = name.split("/")
        if len(parts) == 1:
            most = self._store.get(name)
        elif parts[0] == RECORDS and len(parts) == 3 and parts[1] in self._rows:
            most = self._of_record(parts[2], self._rows[parts[1]])
        else:
            most = self._of_corpus(parts[1:]) if parts[0] in self._rows else None
        if most is None:
            raise _impossible(f"lists {name[:200]!r}, which is not an object of a store")
        return most

    def _of_record(self, name: str, rows: int) -> int | None:
        if name == "corpus.json":
            return 2 * _TABLE + rows * _CLIP_ROW
        if name.endswith(".json"):
            return self._unit
        return self._unit_table if name.endswith(".parquet") else None

    def _of_corpus(self, within: Sequence[str]) -> int | None:
        match within:
            case [feature, "c", _, _, layer, "0"] if _is_index(layer, self._layers.get(feature, 0)):
                return self._shards.get(feature)
            case [*_, metadata] if metadata == ROOT_METADATA:
                return self._metadata
            case [name, "c", "0"]:
                return self._coordinates.get(name)
            case _:
                return None


def _corpus_problem(name: str, extent: DatasetEntry) -> str:
    if not is_corpus_name(name):
        return f"names a corpus {name[:60]!r}, but a corpus name has only lower-case letters, digits, - and _"
    for field, value in (
        ("clips", extent.clips),
        ("rows", extent.rows),
        ("bad", extent.bad),
        ("ignored", extent.ignored),
        ("units", extent.units),
    ):
        if not 0 <= value < 2**40:
            return f"declares {field} = {_format_count(value)} for {name}"
    if not extent.bad <= extent.clips <= extent.rows:
        return f"declares {extent.bad:,} bad of {extent.clips:,} clips in {extent.rows:,} rows for {name}"
    if extent.units != ceil(extent.rows / _SHARD_CLIPS):
        return (
            f"declares {extent.units:,} units for {name}, but {extent.rows:,} rows make "
            f"{ceil(extent.rows / _SHARD_CLIPS):,} units of {_SHARD_CLIPS}"
        )
    for field, text in (
        ("title", extent.title),
        ("licence", extent.licence),
        ("home_page", extent.home_page),
    ):
        if problem := text_problem(text):
            return f"has the {field} {text[:60]!r} for {name}, which {problem}"
    return ""


def _chunk_bytes(spec: StoreSpec, feature: str) -> int:
    width = {"float16": 2, "float32": 4}.get(spec.storage.dtype, 8)
    rows, frames = spec.shapes[feature]
    return spec.storage.chunk_clips * (rows // spec.layer_counts[feature]) * frames * width


def _is_index(text: str, count: int) -> bool:
    """Whether ``text`` is a whole number below ``count`` as Python writes it."""
    return (
        text.isdecimal()
        and text.isascii()
        and len(text) <= 3
        and str(int(text)) == text
        and int(text) < count
    )


def _format_count(value: int) -> str:
    """A whole number, however long, as short text."""
    return f"{value:,}" if abs(value) < 10**30 else f"a number of {value.bit_length():,} bits"


def _impossible(what: str) -> StoreDamagedError:
    return StoreDamagedError(f"{STORE_JSON} {what}; do not use this store")
