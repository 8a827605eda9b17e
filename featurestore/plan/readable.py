"""Checks, before a build computes anything, that readers will accept what it writes.

The checks are the readers' own: tables and documents are made from what is known before the recordings are
read, and read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import pyarrow as pa

from featurestore.format.documents import (
    CorpusRecord,
    DatasetEntry,
    UnitRecord,
    document_bytes,
    parse_document,
)
from featurestore.format.layout import (
    MANIFEST,
    STATISTICS,
    STORE_JSON,
    VIEWS,
    corpus_record_path,
    format_version,
    object_names,
    unit_record_path,
    unit_statistics_path,
)
from featurestore.format.limits import MOST_STORE_JSON, declaration_problem, most_bytes, text_problem
from featurestore.format.manifest import ManifestRow, manifest_table, planned_row
from featurestore.format.tables import MEAN_TEXT, MOST_TEXT, parquet_bytes, require_bounded_text
from featurestore.plan.units import Unit
from featurestore.plan.worklist import Worklist
from featurestore.read.table_values import read_manifest
from schemas.clip import Status
from schemas.errors import CorpusError, StoreDamagedError
from schemas.spec import StoreSpec

_OBJECT_JSON = 140
"""Bytes that ``store.json`` takes per object, besides its name."""

_LITTLE_TEXT = 2**17
"""Characters in a unit below which its record is far from every limit."""

_NUMBERS = 2**19
"""More than the numbers of a unit's clips and the hashes of its shards take in its record."""

Rows = Mapping[tuple[str, int], Sequence[ManifestRow]]
"""(corpus, unit) → the rows of the unit's clips."""


def require_readable(spec: StoreSpec, work: Worklist) -> None:
    """Check the store that ``work`` leads to: its corpora, clips and documents.

    Raises :class:`CorpusError`, naming what readers would refuse.
    """
    rows: Rows = {
        **{key: record.clips for key, record in work.kept.items()},
        **{(todo.unit.dataset, todo.unit.index): _rows_of(todo.unit) for todo in work.todo},
    }
    entries = {name: _entry(record, name, rows) for name, record in work.corpora.items()}
    _check_corpora(entries)
    counts = {name: entry.rows for name, entry in entries.items()}
    _check_size(
        STORE_JSON,
        sum(len(name) + _OBJECT_JSON for name in object_names(spec, counts)),
        MOST_STORE_JSON,
        "build several stores",
    )
    try:
        for name, record in work.corpora.items():
            _check_document(corpus_record_path(name), record, spec, counts)
        _check_manifest(spec, rows, entries)
        _check_repeated_text(spec, rows)
        for todo in work.todo:
            _check_unit(todo.unit, spec, counts)
    except UnicodeEncodeError as error:
        _refuse(f"{str(error.object)[:60]!r} is not valid Unicode", "rename it")


def _check_corpora(entries: Mapping[str, DatasetEntry]) -> None:
    for name, entry in entries.items():
        texts = {"title": entry.title, "licence": entry.licence, "home_page": entry.home_page}
        for field, text in texts.items():
            if problem := text_problem(text):
                _refuse(f"the {field} of {name} {problem}", "change it in corpus.toml, or in the package")
    if problem := declaration_problem(entries):
        _refuse(f"{STORE_JSON} {problem}", "build several stores")


def _check_manifest(spec: StoreSpec, rows: Rows, entries: Mapping[str, DatasetEntry]) -> None:
    """Check every clip, and the manifest of all of them."""
    clips = [row for key in sorted(rows) for row in rows[key]]
    for row in clips:
        for name, text in _texts_of(row).items():
            if len(text) > MOST_TEXT // 4 and (size := len(text.encode())) > MOST_TEXT:
                _refuse(
                    f"the {name} of the clip '{row.path[:100]}' has {size:,} bytes, but at most "
                    f"{MOST_TEXT:,} are possible",
                    "shorten it",
                )
    try:
        data = parquet_bytes(manifest_table(clips))
        _check_size(MANIFEST, len(data), most_bytes(MANIFEST, spec, _counts(entries)), "shorten the texts")
        read_manifest(data, entries)
    except UnicodeEncodeError:
        raise
    except (StoreDamagedError, ValueError, OverflowError, pa.ArrowException) as error:
        reason = error.__cause__ if isinstance(error, StoreDamagedError) else error
        _refuse(f"{MANIFEST} would not be readable: {reason}", "change these clips of the corpus")


def _check_repeated_text(spec: StoreSpec, rows: Rows) -> None:
    """Check the columns that repeat a clip's text for each view, and a speaker's for each view and feature.

    The bad clips are not known yet, so this must hold for any of the speakers.
    """
    views, features = len(spec.view_names), len(spec.features)
    ids = [len(row.clip_id.encode()) for unit in rows.values() for row in unit]
    _check_text(VIEWS, "clip_id", ids, views)
    speakers = {key: {row.speaker for row in unit} for key, unit in rows.items()}
    for key, names in speakers.items():
        lengths = [max(MEAN_TEXT, len(name.encode())) for name in names]
        _check_text(unit_statistics_path(*key), "speaker", lengths, views * features)
    every = [max(MEAN_TEXT, len(name.encode())) for names in speakers.values() for name in names]
    _check_text(STATISTICS, "speaker", every, views * features)


def _check_text(name: str, column: str, lengths: Sequence[int], times: int) -> None:
    try:
        require_bounded_text(column, max(lengths, default=0), sum(lengths) * times, len(lengths) * times)
    except ValueError as error:
        _refuse(f"{name} would not be readable: {error}", "shorten the names of files and speakers")


def _check_unit(unit: Unit, spec: StoreSpec, counts: Mapping[str, int]) -> None:
    """Check the record of a unit, if its clips have so much text that it could reach a limit."""
    rows = _rows_of(unit)
    if sum(len(text) for row in rows for text in _texts_of(row).values()) < _LITTLE_TEXT:
        return
    views, count = len(spec.view_names), len(rows)
    record = UnitRecord(
        format_version=format_version(spec),
        feature_version=unit.feature_version,
        dataset=unit.dataset,
        unit=unit.index,
        fingerprint=unit.fingerprint,
        spec=spec,
        clips=rows,
        parameters=((0.1234567890123456,) * count,) * views,
        keys=(("0" * 32,) * count,) * views,
        samples=((spec.length,) * count,) * views if spec.own_frames else None,
        valid_frames=((spec.frames,) * count,) * views,
        imported_frames={one.name: (one.frames,) * count for one in spec.imported} or None,
        objects={},
    )
    _check_document(unit_record_path(unit.dataset, unit.index), record, spec, counts, _NUMBERS)


def _check_document(
    name: str,
    document: CorpusRecord | UnitRecord,
    spec: StoreSpec,
    counts: Mapping[str, int],
    more: int = 0,
) -> None:
    """Check the size of a document that will have up to ``more`` bytes more, and read it back."""
    data = document_bytes(document)
    most = most_bytes(name, spec, counts)
    _check_size(name, len(data) + more, most, "shorten the names of files, and remove other files")
    try:
        parse_document(data, name, type(document))
    except StoreDamagedError as error:
        _refuse(str(error).partition(";")[0], "shorten the names of files and speakers")


def _check_size(name: str, size: int, most: int, step: str) -> None:
    if size > most:
        _refuse(f"{name} would have {size:,} bytes, but at most {most:,} are possible", step)


def _entry(record: CorpusRecord, name: str, rows: Rows) -> DatasetEntry:
    units = [unit for key, unit in rows.items() if key[0] == name]
    return DatasetEntry(
        title=record.title,
        licence=record.licence,
        home_page=record.home_page,
        rows=len(record.rows),
        clips=sum(map(len, units)),
        bad=sum(row.status is Status.BAD for unit in units for row in unit),
        ignored=len(record.ignored),
        units=len(units),
    )


def _counts(entries: Mapping[str, DatasetEntry]) -> dict[str, int]:
    return {name: entry.rows for name, entry in entries.items()}


def _rows_of(unit: Unit) -> tuple[ManifestRow, ...]:
    """The unit's rows of the manifest, as far as they are known before its recordings are read."""
    return tuple(
        planned_row(source.clip, row, source.audio_sha256)
        for row, source in enumerate(unit.rows, unit.first_row)
        if source is not None
    )


def _texts_of(row: ManifestRow) -> dict[str, str]:
    """Column → text of the columns that have texts of any length."""
    return {
        "clip_id": row.clip_id,
        "path": row.path,
        "speaker": row.speaker,
        "emotion": row.emotion,
        "label": row.label,
        "intensity": row.intensity,
        "sentence": row.sentence,
        "problem": row.problem,
        "language": row.language,
        "session": row.session,
        "split": row.split,
    }


def _refuse(what: str, step: str) -> NoReturn:
    raise CorpusError(f"this build would write a store that nobody can read: {what}; {step}")
