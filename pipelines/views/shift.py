"""Circular shift in time."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.views.parameter import drawn
from schemas.views import ShiftSpec


def shift(batch: ClipBatch, spec: ShiftSpec) -> ViewBatch:
    """Rotate each clip within its valid samples by a fixed or drawn fraction of their number.

    No sample is lost and no padding moves into the clip. The parameter is the shift in samples,
    positive towards later.
    """
    lengths = batch.kept_lengths
    fractions = drawn(spec.fraction, batch.keys(spec.name))
    shifts = [round(fraction * n) for fraction, n in zip(fractions, lengths, strict=True)]
    moved = batch.kept.clone()
    for row, (samples, by) in enumerate(zip(lengths, shifts, strict=True)):
        moved[row, :samples] = torch.roll(batch.kept[row, :samples], by)
    return ViewBatch(moved, lengths, tuple(float(by) for by in shifts))
