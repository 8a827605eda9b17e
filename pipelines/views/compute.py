"""Computes the views of a batch by their specifications."""

from __future__ import annotations

import math

from pipelines.batch import ClipBatch, ViewBatch, ViewPlan
from pipelines.resample import rational_ratio
from pipelines.transfer import send_words
from pipelines.views.noise import noise
from pipelines.views.pitch import pitch
from pipelines.views.shift import shift
from pipelines.views.speed import ratio_bounds, source_samples, speed
from pipelines.views.stretch import stretch
from pipelines.views.untrimmed import untrimmed
from schemas.spec import StoreSpec
from schemas.views import (
    NoiseSpec,
    PitchSpec,
    ShiftSpec,
    SpeedSpec,
    StretchSpec,
    UntrimmedSpec,
    ViewSpec,
    span,
)


def window_samples(spec: StoreSpec) -> int:
    """Number of samples of a trimmed recording that the pipeline uses: the fixed length, or more if fast."""
    return max(spec.length, *(_samples_for(view, spec.length) for view in spec.views), 0)


def untrimmed_samples(spec: StoreSpec) -> int:
    """Number of samples of a recording before trimming that the pipeline uses; 0 if no view needs them."""
    return spec.length if any(isinstance(view, UntrimmedSpec) for view in spec.views) else 0


def original(batch: ClipBatch) -> ViewBatch:
    """View 0: the clip itself, cut to the fixed length."""
    return ViewBatch(batch.kept, batch.kept_lengths, (None,) * len(batch.clip_ids))


def augment(batch: ClipBatch, view: ViewSpec) -> ViewBatch:
    """Compute an augmented view."""
    plan = plan_view(batch, view)
    waveforms = plan.compute(batch, send_words(plan.words, batch.waveforms.device))
    return ViewBatch(waveforms, plan.lengths, plan.parameters)


def plan_view(batch: ClipBatch, view: ViewSpec) -> ViewPlan:
    """Decide everything about an augmented view that needs no samples."""
    match view:
        case NoiseSpec():
            return noise(batch, view)
        case PitchSpec():
            return pitch(batch, view)
        case ShiftSpec():
            return shift(batch, view)
        case SpeedSpec():
            return speed(batch, view)
        case StretchSpec():
            return stretch(batch, view)
        case UntrimmedSpec():
            return untrimmed(batch)


def _samples_for(view: ViewSpec, length: int) -> int:
    """Number of samples of the recording that fill a view of ``length`` samples."""
    if not isinstance(view, SpeedSpec | StretchSpec):
        return length
    if isinstance(view.factor, float):
        return source_samples(length, rational_ratio(view.factor))
    return math.ceil(length * ratio_bounds(*span(view.factor))[1])
