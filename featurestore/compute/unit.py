"""Gathers one unit in memory: its arrays, its table rows and its statistics."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.compute.processing import ProcessedClip
from featurestore.compute.reader import ReadClip
from featurestore.compute.stages import Stages
from featurestore.format.manifest import ManifestRow
from featurestore.format.statistics import STATISTICS_SCHEMA, merge
from featurestore.plan.growth import UnitWork
from featurestore.plan.units import SourceClip, Unit, fingerprint
from featurestore.progress import Advance
from pipelines.pipeline import FeatureBatch
from pipelines.random_stream import stream_key
from schemas.clip import Status


@dataclass
class UnitResult:
    """The content of a unit's record, shards and statistics.

    ``fingerprint`` : of the recordings as read; the planned one unless a recording could not be read.
    ``shards`` : feature, view → (clip, coefficient, frame) in the store's dtype, NaN for unusable recordings
    and vacant rows.
    ``clips`` : manifest rows. ``parameters``, ``keys``, ``valid_frames`` : view name → one value per clip.
    ``statistics`` : of the shards.
    """

    work: UnitWork
    fingerprint: str
    shards: dict[tuple[str, int], npt.NDArray[np.floating]]
    clips: list[ManifestRow]
    parameters: dict[str, list[float | None]]
    keys: dict[str, list[str]]
    valid_frames: dict[str, list[int]]
    statistics: pa.Table


def gather_unit(
    work: UnitWork, clips: Iterator[ProcessedClip], advance: Advance, stages: Stages
) -> UnitResult:
    """Take the unit's clips, the next ones of ``clips``, and put each into its row."""
    unit, spec = work.unit, work.compute
    views, count = len(spec.view_names), len(unit.rows)
    table = np.full(
        (views, count, sum(spec.coefficients.values()), spec.frames), np.nan, dtype=spec.storage.dtype
    )
    parameters = np.full((views, len(unit.clips)), np.nan)
    valid_frames = np.zeros((views, len(unit.clips)), dtype=np.int64)
    moments = _Moments(work)
    rows: list[ManifestRow] = []
    seen: list[SourceClip | None] = []
    for row, source in enumerate(unit.rows):
        if source is None:
            seen.append(None)
            continue
        with stages.measure("waiting for clips"):
            clip = next(clips)
        position = len(rows)
        seen.append(replace(clip.read.source, audio_sha256=clip.read.audio_sha256))
        rows.append(_manifest_row(clip.read, unit.first_row + row))
        advance(1)
        if clip.features is None:
            continue
        table[:, row] = clip.features.table[:, 0]
        parameters[:, position] = clip.features.parameters[:, 0]
        valid_frames[:, position] = clip.features.valid_frames[:, 0]
        moments.add(clip.read.source.clip.speaker, clip.features)
    computed = {name: index for index, name in enumerate(spec.view_names)}
    return UnitResult(
        work,
        fingerprint(seen, unit.feature_version),
        {
            (feature, view): table[computed[name], :, spec.columns[feature]]
            for feature, view, name in work.missing
        },
        rows,
        {name: [_none_if_nan(value) for value in parameters[index]] for name, index in computed.items()},
        {name: _stream_keys(unit, spec.seed, name) for name in spec.view_names},
        {name: valid_frames[index].tolist() for name, index in computed.items()},
        moments.table(),
    )


def _manifest_row(read: ReadClip, row: int) -> ManifestRow:
    clip, header = read.source.clip, read.recording or read.error
    quality = read.recording.quality if read.recording else None
    return ManifestRow(
        clip_id=clip.clip_id,
        dataset=clip.dataset,
        row=row,
        path=clip.path,
        audio_sha256=read.audio_sha256,
        speaker=clip.speaker,
        gender=str(clip.gender),
        emotion=str(clip.emotion),
        label=clip.label,
        intensity=clip.intensity,
        sentence=clip.sentence,
        repetition=clip.repetition,
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


class _Moments:
    """Gathers clips' moments and merges them by speaker, view and feature."""

    def __init__(self, work: UnitWork) -> None:
        self._work = work
        self._speakers: list[str] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._means: list[npt.NDArray[np.float64]] = []
        self._m2s: list[npt.NDArray[np.float64]] = []

    def add(self, speaker: str, clip: FeatureBatch) -> None:
        self._speakers.append(speaker)
        self._counts.append(clip.valid_frames)
        self._means.append(clip.mean)
        self._m2s.append(clip.m2)

    def table(self) -> pa.Table:
        """The moments of the unit's missing parts, one row per speaker × view × feature."""
        unit, spec = self._work.unit, self._work.compute
        computed = {name: index for index, name in enumerate(spec.view_names)}
        out: dict[str, list[Any]] = defaultdict(list)
        if self._speakers:
            speakers = np.array(self._speakers)
            counts = np.concatenate(self._counts, axis=1)
            means, m2s = np.concatenate(self._means, axis=1), np.concatenate(self._m2s, axis=1)
            for speaker in np.unique(speakers):
                selected = speakers == speaker
                merged = [
                    merge(counts[view, selected], means[view, selected], m2s[view, selected])
                    for view in range(len(counts))
                ]
                for feature, view, name in self._work.missing:
                    moments, part = merged[computed[name]], spec.columns[feature]
                    out["speaker"].append(str(speaker))
                    out["view"].append(view)
                    out["feature"].append(feature)
                    out["count"].append(moments.count)
                    out["mean"].append(moments.mean[part].tolist())
                    out["m2"].append(moments.m2[part].tolist())
        length = len(out["speaker"])
        out["dataset"] = [unit.dataset] * length
        out["unit"] = [unit.index] * length
        return pa.table({name: out[name] for name in STATISTICS_SCHEMA.names}, schema=STATISTICS_SCHEMA)
