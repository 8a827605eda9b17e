"""One unit computed: its arrays, its rows of the tables and its statistics, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.plan import SourceClip, Unit, fingerprint
from featurestore.progress import Advance
from featurestore.reader import ReadClip
from featurestore.statistics import STATISTICS_SCHEMA, merge
from pipelines.pipeline import FeatureBatch, Pipeline
from pipelines.random_stream import stream_key
from schemas.clip import Status
from schemas.spec import StoreSpec


@dataclass
class UnitResult:
    """What a unit's record, shards and statistics are written from.

    ``fingerprint`` : of what was read, which is the planned one unless a recording could not be.
    ``arrays`` : feature → (view, clip, coefficient, frame) in the store's dtype, NaN for bad recordings.
    ``clips``  : manifest rows. ``parameters``, ``keys``, ``valid_frames`` : [view][clip].
    """

    unit: Unit
    fingerprint: str
    arrays: dict[str, npt.NDArray[np.floating]]
    clips: list[dict[str, Any]]
    parameters: npt.NDArray[np.float64]
    keys: list[list[str]]
    valid_frames: npt.NDArray[np.int64]
    statistics: pa.Table


def compute_unit(
    unit: Unit, recordings: Iterator[ReadClip], pipeline: Pipeline, advance: Advance
) -> UnitResult:
    """Run the unit's recordings, the next of ``recordings``, through the pipeline, a few clips at a time."""
    spec = pipeline.spec
    views, count = len(spec.view_names), len(unit.clips)
    arrays: dict[str, npt.NDArray[np.floating]] = {
        feature: np.full((views, count, coefficients, spec.frames), np.nan, dtype=spec.storage.dtype)
        for feature, coefficients in spec.coefficients.items()
    }
    parameters = np.full((views, count), np.nan)
    valid_frames = np.zeros((views, count), dtype=np.int64)
    moments = _Moments(unit, spec)
    rows = []
    seen: list[SourceClip] = []
    for first in range(0, count, pipeline.clips_at_once):
        read = list(islice(recordings, min(pipeline.clips_at_once, count - first)))
        seen += [replace(clip.source, audio_sha256=clip.audio_sha256) for clip in read]
        rows += [_manifest_row(clip, unit.first_row + first + i) for i, clip in enumerate(read)]
        usable = [(first + i, clip) for i, clip in enumerate(read) if clip.samples is not None]
        advance(len(read))
        if not usable:
            continue
        positions = [position for position, _ in usable]
        batch = pipeline(
            [clip.source.clip.clip_id for _, clip in usable],
            [clip.samples for _, clip in usable if clip.samples is not None],
        )
        _require_finite(batch, [clip for _, clip in usable])
        for feature, values in batch.arrays.items():
            arrays[feature][:, positions] = values
        parameters[:, positions] = batch.parameters
        valid_frames[:, positions] = batch.valid_frames
        moments.add([clip.source.clip.speaker for _, clip in usable], batch)
    return UnitResult(
        unit,
        fingerprint(seen, spec, unit.feature_version),
        arrays,
        rows,
        parameters,
        _stream_keys(unit, spec),
        valid_frames,
        moments.table(),
    )


def _require_finite(batch: FeatureBatch, clips: Sequence[ReadClip]) -> None:
    """Refuse numbers that no recording within the decoder's limits can give: a defect must not be stored."""
    for feature, values in batch.arrays.items():
        broken = np.flatnonzero(~np.isfinite(values).all(axis=(0, 2, 3)))
        if len(broken):
            clip_id = clips[int(broken[0])].source.clip.clip_id
            raise FloatingPointError(f"{feature} of {clip_id} is not finite; please report this")


def _manifest_row(read: ReadClip, row: int) -> dict[str, Any]:
    clip = read.source.clip
    problem = "; ".join(part for part in (read.problem, clip.note, read.note) if part)
    return {
        "clip_id": clip.clip_id,
        "dataset": clip.dataset,
        "row": row,
        "path": clip.path,
        "audio_sha256": read.audio_sha256,
        "speaker": clip.speaker,
        "gender": str(clip.gender),
        "emotion": str(clip.emotion),
        "label": clip.label,
        "intensity": clip.intensity,
        "sentence": clip.sentence,
        "repetition": clip.repetition,
        "duration_s": read.duration_s,
        "sample_rate": read.sample_rate,
        "channels": read.channels,
        "status": str(Status.BAD if read.problem else Status.OK),
        "problem": problem,
    }


def _stream_keys(unit: Unit, spec: StoreSpec) -> list[list[str]]:
    return [
        [stream_key(spec.seed, source.clip.clip_id, name).hex for source in unit.clips]
        for name in spec.view_names
    ]


class _Moments:
    """Gathers clips' moments and merges them by speaker, view and feature."""

    def __init__(self, unit: Unit, spec: StoreSpec) -> None:
        self.unit = unit
        self.spec = spec
        self.batches: list[tuple[list[str], FeatureBatch]] = []

    def add(self, speakers: list[str], batch: FeatureBatch) -> None:
        self.batches.append((speakers, _without_arrays(batch)))

    def table(self) -> pa.Table:
        columns: dict[str, list[Any]] = defaultdict(list)
        if self.batches:
            speakers = np.array([speaker for names, _ in self.batches for speaker in names])
            counts = np.concatenate([batch.valid_frames for _, batch in self.batches], axis=1)
            for feature in self.spec.features:
                means = np.concatenate([batch.mean[feature.kind] for _, batch in self.batches], axis=1)
                m2s = np.concatenate([batch.m2[feature.kind] for _, batch in self.batches], axis=1)
                for speaker in np.unique(speakers):
                    chosen = speakers == speaker
                    for view in range(len(counts)):
                        merged = merge(counts[view, chosen], means[view, chosen], m2s[view, chosen])
                        columns["speaker"].append(str(speaker))
                        columns["view"].append(view)
                        columns["feature"].append(feature.kind)
                        columns["count"].append(merged.count)
                        columns["mean"].append(merged.mean.tolist())
                        columns["m2"].append(merged.m2.tolist())
        length = len(columns["speaker"])
        columns["dataset"] = [self.unit.dataset] * length
        columns["unit"] = [self.unit.index] * length
        return pa.table({name: columns[name] for name in STATISTICS_SCHEMA.names}, schema=STATISTICS_SCHEMA)


def _without_arrays(batch: FeatureBatch) -> FeatureBatch:
    """The batch's moments alone, so that its features can be freed."""
    return FeatureBatch({}, batch.valid_frames, batch.parameters, batch.mean, batch.m2)
