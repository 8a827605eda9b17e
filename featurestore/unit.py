"""One unit in memory: its arrays, its rows of the tables and its statistics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.plan import SourceClip, Unit, fingerprint
from featurestore.processing import ProcessedClip
from featurestore.progress import Advance
from featurestore.reader import ReadClip
from featurestore.stages import Stages
from featurestore.statistics import STATISTICS_SCHEMA, merge
from pipelines.pipeline import FeatureBatch
from pipelines.quality import Quality
from pipelines.random_stream import stream_key
from schemas.clip import Status
from schemas.spec import StoreSpec

_QUALITY = tuple(field.name for field in fields(Quality))


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


def gather_unit(
    unit: Unit, spec: StoreSpec, clips: Iterator[ProcessedClip], advance: Advance, stages: Stages
) -> UnitResult:
    """Put the unit's clips, the next ones of ``clips``, in their places."""
    views, count = len(spec.view_names), len(unit.clips)
    table = np.full(
        (views, count, sum(spec.coefficients.values()), spec.frames), np.nan, dtype=spec.storage.dtype
    )
    parameters = np.full((views, count), np.nan)
    valid_frames = np.zeros((views, count), dtype=np.int64)
    moments = _Moments(unit)
    rows = []
    seen: list[SourceClip] = []
    for row in range(count):
        with stages.timed("waiting for clips"):
            clip = next(clips)
        seen.append(replace(clip.read.source, audio_sha256=clip.read.audio_sha256))
        rows.append(_manifest_row(clip.read, unit.first_row + row))
        advance(1)
        if clip.features is None:
            continue
        table[:, row] = clip.features.table[:, 0]
        parameters[:, row] = clip.features.parameters[:, 0]
        valid_frames[:, row] = clip.features.valid_frames[:, 0]
        moments.add(clip.read.source.clip.speaker, clip.features)
    return UnitResult(
        unit,
        fingerprint(seen, spec, unit.feature_version),
        {feature: table[:, :, part] for feature, part in spec.columns.items()},
        rows,
        parameters,
        _stream_keys(unit, spec),
        valid_frames,
        moments.table(spec.columns),
    )


def _manifest_row(read: ReadClip, row: int) -> dict[str, Any]:
    clip, header = read.source.clip, read.recording or read.error
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
        "duration_s": header.duration_s if header else None,
        "sample_rate": header.sample_rate if header else None,
        "channels": header.channels if header else None,
        **(asdict(read.recording.quality) if read.recording else dict.fromkeys(_QUALITY)),
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

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._speakers: list[str] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._means: list[npt.NDArray[np.float64]] = []
        self._m2s: list[npt.NDArray[np.float64]] = []

    def add(self, speaker: str, clip: FeatureBatch) -> None:
        self._speakers.append(speaker)
        self._counts.append(clip.valid_frames)
        self._means.append(clip.mean)
        self._m2s.append(clip.m2)

    def table(self, columns: Mapping[str, slice]) -> pa.Table:
        out: dict[str, list[Any]] = defaultdict(list)
        if self._speakers:
            speakers = np.array(self._speakers)
            counts = np.concatenate(self._counts, axis=1)
            means, m2s = np.concatenate(self._means, axis=1), np.concatenate(self._m2s, axis=1)
            for speaker in np.unique(speakers):
                chosen = speakers == speaker
                for view in range(len(counts)):
                    merged = merge(counts[view, chosen], means[view, chosen], m2s[view, chosen])
                    for feature, part in columns.items():
                        out["speaker"].append(str(speaker))
                        out["view"].append(view)
                        out["feature"].append(feature)
                        out["count"].append(merged.count)
                        out["mean"].append(merged.mean[part].tolist())
                        out["m2"].append(merged.m2[part].tolist())
        length = len(out["speaker"])
        out["dataset"] = [self._unit.dataset] * length
        out["unit"] = [self._unit.index] * length
        return pa.table({name: out[name] for name in STATISTICS_SCHEMA.names}, schema=STATISTICS_SCHEMA)
