"""Imported features of a unit: their shards and statistics, and what a build takes over from before.

A build cannot compute these numbers. If it writes a unit again, it takes them over for every clip that is
still in its row with the same recording; all other clips get NaN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.format.arrays import decode_shards
from featurestore.format.documents import StoredObject, UnitRecord
from featurestore.format.layout import shard_path
from featurestore.format.manifest import ManifestRow
from featurestore.format.statistics import STATISTICS_SCHEMA, Statistics, merge
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from schemas.clip import Status
from schemas.errors import StoreDamagedError
from schemas.imported import ImportedSpec

Numbers = npt.NDArray[np.floating[Any]]

ClipValues = Callable[[ImportedSpec, ManifestRow], Numbers | None]
"""Feature and clip → (coefficients, frames) in the store's dtype, without padding; None: it has no values."""


@dataclass(frozen=True)
class ImportedPart:
    """What a unit gets of imported features.

    ``shards`` : feature, view → (row, coefficient, frame) in the store's dtype; NaN for clips without values
    and in all views but the original; zero after a clip's last frame. ``frames`` : imported feature → frames
    of each clip, also of features that the unit keeps. ``statistics`` : of ``shards``.
    """

    shards: Mapping[tuple[str, int], Numbers]
    frames: dict[str, tuple[int, ...]]
    statistics: pa.Table


def gather_imported(
    work: UnitWork, clips: Sequence[ManifestRow], rows: int, values_of: ClipValues
) -> ImportedPart:
    """The missing shards of imported features, from the values of each usable clip.

    ``rows`` : of the unit's arrays, with vacant ones.
    """
    spec, unit = work.spec, work.unit
    existing = (work.existing.imported_frames or {}) if work.existing else {}
    missing = {(feature, view) for feature, view, _ in work.missing}
    shards: dict[tuple[str, int], Numbers] = {}
    frames: dict[str, tuple[int, ...]] = {}
    moments = _Moments(work)
    for feature in spec.imported:
        shape = (rows, *spec.shapes[feature.name])
        empty = np.full(shape, np.nan, spec.storage.dtype)
        shards.update({key: empty for key in missing if key[0] == feature.name})
        if (feature.name, 0) not in missing:
            frames[feature.name] = existing[feature.name]
        else:
            original, counts = empty.copy(), []
            for clip in clips:
                found = values_of(feature, clip) if clip.status is Status.OK else None
                counts.append(0 if found is None else found.shape[1])
                if found is not None:
                    original[clip.row - unit.first_row] = 0.0
                    original[clip.row - unit.first_row, :, : found.shape[1]] = found
                    moments.add(clip.speaker, feature.name, found)
            shards[feature.name, 0], frames[feature.name] = original, tuple(counts)
    speakers = {clip.speaker for clip in clips if clip.status is Status.OK}
    return ImportedPart(shards, frames, moments.statistics(sorted(speakers), sorted(missing)))


def take_over(place: Place, work: UnitWork, clips: Sequence[ManifestRow]) -> ImportedPart:
    """The missing shards of imported features, with the values that the unit had before.

    ``clips`` : what the manifest will say of the unit's clips.
    """
    before = work.before if work.existing is None else None
    held: dict[str, Numbers | None] = {}

    def values_of(feature: ImportedSpec, clip: ManifestRow) -> Numbers | None:
        if before is None or feature not in before.spec.features:
            return None
        if feature.name not in held:
            held[feature.name] = _read_original(place, before, feature)
        array, frames = held[feature.name], (before.imported_frames or {})[feature.name]
        for count, other in zip(frames, before.clips, strict=True):
            same = (other.row, other.clip_id) == (clip.row, clip.clip_id)
            if same and other.audio_sha256 == clip.audio_sha256 and count and array is not None:
                values: Numbers = array[clip.row - work.unit.first_row, :, :count]
                return values if np.isfinite(values).all() else None  # lost by a build that was stopped
        return None

    return gather_imported(work, clips, len(work.unit.rows), values_of)


def _read_original(place: Place, record: UnitRecord, feature: ImportedSpec) -> Numbers | None:
    """The original view of a feature, (row, coefficient, frame); None if its shards are lost or damaged."""
    spec = record.spec
    names = [
        shard_path(record.dataset, feature.name, 0, record.unit, layer) for layer in range(feature.layers)
    ]
    shards = []
    for name in names:
        known = (record.objects[name], *(record.announced or {}).get(name, ()))
        try:
            data = place.read(name, max(each.bytes for each in known))
        except (FileNotFoundError, StoreDamagedError):
            return None
        if StoredObject.of(data) not in known:
            return None
        shards.append(data)
    return decode_shards(feature, spec, shards)


class _Moments:
    """Moments of the imported features of a unit, by speaker."""

    def __init__(self, work: UnitWork) -> None:
        self._work = work
        self._clips: defaultdict[tuple[str, str], list[Statistics]] = defaultdict(list)

    def add(self, speaker: str, feature: str, values: Numbers) -> None:
        """Add the (coefficients, frames) values of a clip."""
        numbers = values.astype(np.float64)
        mean = numbers.mean(axis=1)
        m2 = np.square(numbers - mean[:, None]).sum(axis=1)
        self._clips[speaker, feature].append(Statistics(numbers.shape[1], mean, m2))

    def statistics(self, speakers: Sequence[str], missing: Sequence[tuple[str, int]]) -> pa.Table:
        """One row per speaker × missing view and feature; no frames outside the original view."""
        counts = self._work.spec.coefficients
        imported = {feature.name for feature in self._work.spec.imported}
        rows = []
        for speaker in speakers:
            for feature, view in missing:
                if feature in imported:
                    clips = [] if view else self._clips[speaker, feature]
                    merged = _merge(clips, counts[feature])
                    rows.append(
                        {
                            "dataset": self._work.unit.dataset,
                            "unit": self._work.unit.index,
                            "speaker": speaker,
                            "view": view,
                            "feature": feature,
                            "count": merged.count,
                            "mean": merged.mean.tolist(),
                            "m2": merged.m2.tolist(),
                        }
                    )
        return pa.Table.from_pylist(rows, schema=STATISTICS_SCHEMA)


def _merge(clips: Sequence[Statistics], coefficients: int) -> Statistics:
    if not clips:
        return Statistics(0, np.zeros(coefficients), np.zeros(coefficients))
    counts = np.array([clip.count for clip in clips])
    return merge(counts, np.stack([clip.mean for clip in clips]), np.stack([clip.m2 for clip in clips]))
