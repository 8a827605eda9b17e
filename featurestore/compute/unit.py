"""Gathers one unit in memory: its arrays, its table rows and its statistics."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.compute.processing import ProcessedClip
from featurestore.compute.reader import ReadClip
from featurestore.compute.reading_order import rows_in_reading_order
from featurestore.compute.stages import Stages
from featurestore.format.manifest import ManifestRow, planned_row
from featurestore.format.statistics import STATISTICS_SCHEMA, Statistics, merge
from featurestore.plan.growth import UnitWork
from featurestore.plan.units import SourceClip, Unit, fingerprint
from featurestore.progress import Advance
from pipelines.feature_batch import FeatureBatch
from pipelines.random_stream import stream_key
from schemas.clip import Status
from schemas.spec import StoreSpec
from schemas.valid_frames import count_valid_frames


@dataclass
class UnitResult:
    """The content of a unit's record, shards and statistics.

    ``fingerprint`` : of the recordings as read; the planned one unless a recording could not be read.
    ``shards`` : feature, view → (clip, coefficient, frame) in the store's dtype, NaN for unusable recordings
    and vacant rows.
    ``clips`` : manifest rows. ``parameters``, ``keys``, ``samples``, ``valid_frames`` : view name → one value
    per clip.
    ``moments`` : of the shards.
    """

    work: UnitWork
    fingerprint: str
    shards: dict[tuple[str, int], npt.NDArray[np.floating]]
    clips: list[ManifestRow]
    parameters: dict[str, list[float | None]]
    keys: dict[str, list[str]]
    samples: dict[str, list[int]]
    valid_frames: dict[str, list[int]]
    moments: UnitMoments


def gather_unit(
    work: UnitWork, clips: Iterator[ProcessedClip], advance: Advance, stages: Stages
) -> UnitResult:
    """Take the unit's clips, the next ones of ``clips`` in reading order, and put each into its row."""
    unit, spec = work.unit, work.compute
    views, count = len(spec.view_names), len(unit.rows)
    arrays = {
        name: np.empty((views, count, *shape), dtype=spec.storage.dtype)
        for name, shape in spec.shapes.items()
    }
    parameters = np.full((views, len(unit.clips)), np.nan)
    samples, valid_frames = np.zeros((2, views, len(unit.clips)), dtype=np.int64)
    moments = UnitMoments(work)
    rows: dict[int, ManifestRow] = {}
    seen: list[SourceClip | None] = [None] * count
    features: dict[int, tuple[str, FeatureBatch]] = {}
    positions = {row: at for at, row in enumerate(row for row, each in enumerate(unit.rows) if each)}
    for row in set(range(count)) - positions.keys():
        _leave_empty(arrays, row)
    for row in rows_in_reading_order(unit):
        with stages.measure("waiting for clips"):
            clip = next(clips)
        position = positions[row]
        seen[row] = replace(clip.read.source, audio_sha256=clip.read.audio_sha256)
        rows[row] = _manifest_row(clip.read, unit.first_row + row)
        advance(1)
        if clip.features is None:
            _leave_empty(arrays, row)
            continue
        for name, array in clip.features.arrays.items():
            arrays[name][:, row] = array[:, 0]
        samples[:, position] = clip.features.samples[:, 0]
        parameters[:, position] = clip.features.parameters[:, 0]
        valid_frames[:, position] = clip.features.valid_frames[:, 0]
        features[row] = (clip.read.source.clip.speaker, replace(clip.features, arrays={}))
    for row in sorted(features):  # sums depend on the order
        moments.add(*features[row])
    computed = {name: index for index, name in enumerate(spec.view_names)}
    return UnitResult(
        work,
        fingerprint(seen, unit.feature_version),
        {(feature, view): arrays[feature][computed[name]] for feature, view, name in work.missing},
        [rows[row] for row in sorted(rows)],
        {name: [_none_if_nan(value) for value in parameters[index]] for name, index in computed.items()},
        {name: _stream_keys(unit, spec.seed, name) for name in spec.view_names},
        {name: samples[index].tolist() for name, index in computed.items()},
        {name: valid_frames[index].tolist() for name, index in computed.items()},
        moments,
    )


def _leave_empty(arrays: Mapping[str, npt.NDArray[np.floating]], row: int) -> None:
    for array in arrays.values():
        array[:, row] = np.nan


def _manifest_row(read: ReadClip, row: int) -> ManifestRow:
    clip, header = read.source.clip, read.recording or read.error
    quality = read.recording.quality if read.recording else None
    return replace(
        planned_row(clip, row, read.audio_sha256),
        duration_s=header.duration_s if header else None,
        sample_rate=header.sample_rate if header else None,
        channels=header.channels if header else None,
        snr_db=quality.snr_db if quality else None,
        clipping_ratio=quality.clipping_ratio if quality else None,
        silence_ratio=quality.silence_ratio if quality else None,
        peak=quality.peak if quality else None,
        loudness_lufs=quality.loudness_lufs if quality else None,
        status=Status.BAD if read.problem else Status.OK,
        problem="; ".join(part for part in (read.problem, clip.note, read.note) if part),
    )


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _stream_keys(unit: Unit, seed: int, view: str) -> list[str]:
    return [stream_key(seed, source.clip.clip_id, view).hex for source in unit.clips]


class UnitMoments:
    """Gathers clips' moments and merges them by speaker, view and feature."""

    def __init__(self, work: UnitWork) -> None:
        self._work = work
        self._speakers: list[str] = []
        self._clips: list[FeatureBatch] = []

    def add(self, speaker: str, clip: FeatureBatch) -> None:
        """Add a clip."""
        self._speakers.append(speaker)
        self._clips.append(clip)

    def statistics(self) -> pa.Table:
        """The moments of the unit's missing parts, one row per speaker × view × feature.

        For the thread that writes: the one that gathers also launches the device's work.
        """
        unit, spec = self._work.unit, self._work.compute
        computed = {name: index for index, name in enumerate(spec.view_names)}
        out: dict[str, list[Any]] = defaultdict(list)
        for speaker in sorted(set(self._speakers)):
            pairs = zip(self._speakers, self._clips, strict=True)
            clips = [clip for other, clip in pairs if other == speaker]
            moments = {feature: _merge(clips, feature, spec) for feature in spec.coefficients}
            for feature, view, name in self._work.missing:
                merged = moments[feature][computed[name]]
                out["speaker"].append(str(speaker))
                out["view"].append(view)
                out["feature"].append(feature)
                out["count"].append(merged.count)
                out["mean"].append(merged.mean.tolist())
                out["m2"].append(merged.m2.tolist())
        length = len(out["speaker"])
        out["dataset"] = [unit.dataset] * length
        out["unit"] = [unit.index] * length
        return pa.table({name: out[name] for name in STATISTICS_SCHEMA.names}, schema=STATISTICS_SCHEMA)


def _merge(clips: Sequence[FeatureBatch], feature: str, spec: StoreSpec) -> list[Statistics]:
    """Moments of a feature over ``clips``, one per view."""
    counts = np.concatenate([clip.valid_frames for clip in clips], axis=1)
    if feature in {encoder.name for encoder in spec.encoders}:  # they have frames of their own
        samples = np.concatenate([clip.samples for clip in clips], axis=1)
        counts = count_valid_frames(spec, feature, samples)
    mean = np.concatenate([clip.mean[feature] for clip in clips], axis=1)
    m2 = np.concatenate([clip.m2[feature] for clip in clips], axis=1)
    return [merge(counts[view], mean[view], m2[view]) for view in range(len(counts))]
