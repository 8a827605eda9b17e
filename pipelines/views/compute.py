"""Computes the views of a batch by their specifications."""

from __future__ import annotations

from pipelines.batch import ClipBatch, ViewBatch, ViewPlan
from pipelines.transfer import send_words
from pipelines.views.noise import noise
from pipelines.views.pitch import pitch
from pipelines.views.shift import shift
from pipelines.views.speed import speed
from pipelines.views.stretch import stretch
from pipelines.views.untrimmed import untrimmed
from schemas.views import (
    NoiseSpec,
    PitchSpec,
    ShiftSpec,
    SpeedSpec,
    StretchSpec,
    UntrimmedSpec,
    ViewSpec,
)


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
