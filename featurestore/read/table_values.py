"""The tables of an untrusted store as frames, with checks that their values are possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.format.documents import DatasetEntry
from featurestore.format.layout import MANIFEST, STATISTICS, VIEWS
from featurestore.format.statistics import STATISTICS_SCHEMA
from featurestore.format.tables import read_table, table_errors, to_frame
from schemas.clip import Status
from schemas.imported import ImportedSpec
from schemas.labels import Gender, is_emotion_name
from schemas.spec import StoreSpec
from schemas.tables import MANIFEST_SCHEMA, OPTIONAL_COLUMNS, imported_column, views_schema

_SHA256 = "^[0-9a-f]{64}$"
_KEY = "^[0-9a-f]{32}$"
_MOST = float(np.finfo(np.float32).max)
"""Largest mean and standard deviation of features; sums over such moments stay finite in float64."""
_LEADS_OUT = r"(^/)|((^|/)\.\.(/|$))|\x00|^$"


def read_manifest(data: bytes, datasets: Mapping[str, DatasetEntry]) -> pd.DataFrame:
    """Decode ``manifest.parquet``, with the columns of :data:`schemas.tables.MANIFEST_SCHEMA` and those of
    :data:`schemas.tables.OPTIONAL_COLUMNS` that it has.

    Guaranteed: corpora are sorted by name, each with the number of clips given in ``datasets``; rows increase
    within a corpus and lie within its arrays; clip ids are unique; paths stay inside the corpus folder;
    gender and status are known words, and emotions have possible names; an optional column has a value, its
    numbers are finite, and a clip ends after its start. Raises :class:`~schemas.errors.StoreDamagedError`
    otherwise.
    """
    rows = sum(extent.clips for extent in datasets.values())
    table = read_table(data, MANIFEST, MANIFEST_SCHEMA, rows, optional=tuple(OPTIONAL_COLUMNS))
    with table_errors(MANIFEST):
        start = 0
        for name, extent in sorted(datasets.items()):
            _require_rows(table.slice(start, extent.clips), name, extent)
            start += extent.clips
        for column, words in (("status", Status), ("gender", Gender)):
            known = pc.is_in(table[column], pa.array([str(word) for word in words]))
            _require(table, column, known, "one of " + ", ".join(words))
        named = pa.array(
            [name for name in pc.unique(table["emotion"]).to_pylist() if is_emotion_name(name)], pa.string()
        )
        _require(table, "emotion", pc.is_in(table["emotion"], named), "the name of an emotion")
        within = pc.invert(pc.match_substring_regex(table["path"], _LEADS_OUT))
        _require(table, "path", within, "a path within the corpus")
        _require_pattern(table, "audio_sha256", _SHA256)
        _require_unique(table, "clip_id")
        _require_optional(table)
    return to_frame(table)


def read_views(data: bytes, manifest: pd.DataFrame, spec: StoreSpec) -> pd.DataFrame:
    """Decode ``views.parquet``, one row per clip and view.

    Guaranteed: clips are in the order of ``manifest``, each with the views of ``spec`` in order, by name and
    kind; the parameter of the original is null; keys are 32 hexadecimal digits; valid frames are between 0
    and ``spec.frames``, and 0 for bad recordings. Raises :class:`~schemas.errors.StoreDamagedError`
    otherwise.
    """
    names = spec.view_names
    kinds = (names[0], *(view.kind for view in spec.views))
    clips, count = len(manifest), len(names)
    table = read_table(data, VIEWS, views_schema(spec), clips * count)
    repeated = pa.array(np.repeat(np.arange(clips, dtype=np.int64), count))
    views = pa.array(np.tile(np.arange(count, dtype=np.int64), clips))
    with table_errors(VIEWS):
        for column in ("clip_id", "dataset"):
            _require_equal(table, column, pa.array(manifest[column], pa.string()).take(repeated))
        _require_equal(table, "row", pa.array(manifest["row"].to_numpy()).take(repeated))
        _require_equal(table, "view", views)
        _require_equal(table, "name", pa.array(names).take(views))
        _require_equal(table, "kind", pa.array(kinds).take(views))
        _require_pattern(table, "key", _KEY)
        most = np.where((manifest["status"] == Status.OK).to_numpy(), spec.frames, 0).repeat(count)
        frames = table["valid_frames"].to_numpy()
        right = pa.chunked_array([(frames >= 0) & (frames <= most)])
        _require(table, "valid_frames", right, f"0 to {spec.frames}, or 0 for a bad recording")
        if spec.own_frames:
            _require_samples(table, spec)
        for feature in spec.imported:
            _require_imported(table, manifest, feature)
        _require(table, "parameter", pc.or_(pc.not_equal(views, 0), table["parameter"].is_null()), "null")
    return to_frame(table)


def read_statistics(data: bytes, manifest: pd.DataFrame, spec: StoreSpec) -> pd.DataFrame:
    """Decode ``statistics.parquet``.

    Guaranteed: one row for each view, feature, unit and speaker with usable clips in ``manifest``, in any
    order; one finite number per coefficient, and no negative M2; no more frames than the clips have. Raises
    :class:`~schemas.errors.StoreDamagedError` otherwise.
    """
    usable = manifest[manifest["status"] == Status.OK]
    units = usable["row"] // spec.storage.shard_clips
    groups = usable.groupby(["dataset", units.rename("unit"), "speaker"]).size()
    views, coefficients = len(spec.view_names), spec.coefficients
    rows = len(groups) * views * len(coefficients)
    table = read_table(data, STATISTICS, STATISTICS_SCHEMA, rows, most_values=max(coefficients.values()))
    with table_errors(STATISTICS):
        clips = _clips_of_groups(table, groups, views, tuple(coefficients))
        frames = np.array([frames for _, frames in spec.shapes.values()])
        most = clips * frames[pc.index_in(table["feature"], pa.array(list(coefficients))).to_numpy()]
        count = table["count"].to_numpy()
        right = pa.chunked_array([(count >= 0) & (count <= most)])
        _require(table, "count", right, "at most the frames of its clips")
        features = pc.index_in(table["feature"], pa.array(list(coefficients)))
        lengths = pa.array(list(coefficients.values()), pa.int32()).take(features.combine_chunks())
        for column in ("mean", "m2"):
            _require_moments(table, column, lengths)
    return to_frame(table)


def _require_optional(table: pa.Table) -> None:
    """Check the values of the optional columns that the table has."""
    present = [field for field in OPTIONAL_COLUMNS if field.name in table.column_names]
    for field in present:
        column = table[field.name]
        has_value = pc.not_equal(column, "") if pa.types.is_string(field.type) else column.is_valid()
        if not pc.any(has_value).as_py():
            raise ValueError(f"no row has a value in its column {field.name!r}")
        if pa.types.is_floating(field.type):
            _require_if_known(table, field.name, pc.is_finite(column), "a finite number")
    names = [field.name for field in present]
    if "start_s" in names:
        _require_if_known(table, "start_s", pc.greater_equal(table["start_s"], 0.0), "0 or more seconds")
    if "end_s" in names:
        start = pc.fill_null(table["start_s"], 0.0) if "start_s" in names else 0.0
        _require_if_known(table, "end_s", pc.greater(table["end_s"], start), "more seconds than start_s")


def _require_if_known(table: pa.Table, column: str, right: pa.ChunkedArray, wanted: str) -> None:
    _require(table, column, pc.or_kleene(table[column].is_null(), right), wanted)


def _require_samples(table: pa.Table, spec: StoreSpec) -> None:
    """Check that the samples of each view give its valid frames."""
    samples, frames = (table[name].to_numpy() for name in ("samples", "valid_frames"))
    hop = spec.spectral.hop_length
    expected = np.where(samples > 0, np.minimum(spec.frames, 1 + (samples - 1) // hop), 0)
    right = pa.chunked_array([(samples >= 0) & (samples <= spec.length) & (frames == expected)])
    _require(table, "samples", right, f"0 to {spec.length:,}, and those of its valid frames")


def _require_imported(table: pa.Table, manifest: pd.DataFrame, feature: ImportedSpec) -> None:
    """Check that only usable clips have frames of an imported feature, and only in the original view."""
    column = imported_column(feature.name)
    frames = table[column].to_numpy()
    usable = (manifest["status"] == Status.OK).to_numpy().repeat(len(frames) // max(1, len(manifest)))
    most = np.where(usable & (table["view"].to_numpy() == 0), feature.frames, 0)
    right = pa.chunked_array([(frames >= 0) & (frames <= most)])
    _require(table, column, right, f"0 to {feature.frames:,}, or 0 for a bad recording or another view")


def _require_rows(part: pa.Table, name: str, extent: DatasetEntry) -> None:
    """Check the rows of one corpus: its name, increasing row numbers, the declared number of bad clips."""
    _require(part, "dataset", pc.equal(part["dataset"], name), repr(name))
    rows = part["row"].to_numpy()
    if len(rows) and (rows[0] < 0 or rows[-1] >= extent.rows or np.any(np.diff(rows) <= 0)):
        raise ValueError(f"the rows of {name} do not increase within 0 to {extent.rows - 1:,}")
    bad = pc.sum(pc.equal(part["status"], str(Status.BAD))).as_py() or 0
    if bad != extent.bad:
        raise ValueError(f"{bad:,} clips of {name} are bad, expected {extent.bad:,}")


def _clips_of_groups(
    table: pa.Table, groups: pd.Series[Any], views: int, features: tuple[str, ...]
) -> npt.NDArray[np.int64]:
    """Check that every (corpus, unit, speaker) × view × feature appears once.

    Returns the number of clips in the group of each row, (row,) int64.
    """
    if not len(groups):
        return np.empty(0, np.int64)
    keys = pd.MultiIndex.from_arrays([table[name].to_pandas() for name in ("dataset", "unit", "speaker")])
    group = groups.index.get_indexer(keys).astype(np.int64)
    view = table["view"].to_numpy()
    feature = pc.fill_null(pc.index_in(table["feature"], pa.array(features)), -1).to_numpy()
    unknown = (group < 0) | (view < 0) | (view >= views) | (feature < 0)
    if np.any(unknown):
        row = table.slice(int(np.argmax(unknown)), 1).select(
            ["dataset", "unit", "speaker", "view", "feature"]
        )
        raise ValueError(f"it has a group {_shorten(row.to_pylist()[0])} that the store does not have")
    code = (group * views + view) * len(features) + feature
    if len(np.unique(code)) != len(code):
        raise ValueError("it has a group twice")
    return groups.to_numpy(np.int64)[group]


def _require_moments(table: pa.Table, column: str, lengths: pa.Array) -> None:
    numbers = table[column]
    if not pc.all(pc.equal(pc.list_value_length(numbers), lengths), min_count=0).as_py():
        raise ValueError(f"a {column} does not have one number per coefficient")
    flat = pc.list_flatten(numbers)
    if flat.null_count or not np.isfinite(flat.to_numpy()).all():
        raise ValueError(f"a {column} is not finite")
    values = flat.to_numpy()
    if column == "m2" and len(values) and values.min() < 0:
        raise ValueError("an m2 is negative")
    frames = np.repeat(table["count"].to_numpy(), pc.list_value_length(numbers).to_numpy())
    most = _MOST if column == "mean" else frames * _MOST**2
    if (np.abs(values) > most).any():
        raise ValueError(f"a value of {column} is beyond what numbers in float32 can have")


def _require_unique(table: pa.Table, column: str) -> None:
    values = table[column]
    if pc.count_distinct(values).as_py() != len(values):
        counts = pc.value_counts(values)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0]
        raise ValueError(f"the {column} {_shorten(twice.as_py())} appears twice")


def _require_pattern(table: pa.Table, column: str, pattern: str) -> None:
    right = pc.or_kleene(table[column].is_null(), pc.match_substring_regex(table[column], pattern))
    _require(table, column, right, pattern)


def _require_equal(table: pa.Table, column: str, wanted: pa.Array | pa.ChunkedArray) -> None:
    right = pc.equal(table[column], wanted)
    if not pc.all(right, min_count=0).as_py():
        _require(table, column, right, _shorten(wanted[pc.index(right, value=False).as_py()].as_py()))


def _require(table: pa.Table, column: str, right: pa.ChunkedArray, wanted: str) -> None:
    if not pc.all(right, min_count=0).as_py():
        row = pc.index(right, value=False).as_py()
        got = _shorten(table[column][row].as_py())
        raise ValueError(f"row {row:,} has {got} as {column}, expected {wanted}")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
