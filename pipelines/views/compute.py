"""Every view of a batch, by specification."""

from __future__ import annotations

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.views.noise import noise
from pipelines.views.pitch import pitch
from pipelines.views.shift import shift
from pipelines.views.speed import source_samples, speed
from schemas.spec import NoiseSpec, PitchSpec, ShiftSpec, SpeedSpec, StoreSpec, ViewSpec


def window_samples(spec: StoreSpec) -> int:
    """Samples of a recording that the pipeline reads: the fixed length, or what the fastest view needs."""
    length = spec.audio.length
    faster = (source_samples(view, length) for view in spec.views if isinstance(view, SpeedSpec))
    return max(length, *faster, 0)


def original(batch: ClipBatch, length: int) -> ViewBatch:
    """View 0: the clip itself, cut to ``length`` samples."""
    return ViewBatch(
        batch.waveforms[:, :length], batch.lengths.clamp(max=length), (None,) * len(batch.clip_ids)
    )


def augmented(batch: ClipBatch, view: ViewSpec, length: int) -> ViewBatch:
    """One augmented view of ``length`` samples."""
    match view:
        case NoiseSpec():
            return noise(batch, view, length)
        case PitchSpec():
            return pitch(batch, view, length)
        case ShiftSpec():
            return shift(batch, view, length)
        case SpeedSpec():
            return speed(batch, view, length)
