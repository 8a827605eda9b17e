"""Circular shift in time."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.views.parameter import draw
from schemas.views import ShiftSpec


def shift(batch: ClipBatch, spec: ShiftSpec) -> ViewBatch:
    """Rotate the valid samples of each clip by a fixed or drawn fraction of their number.

    No sample is lost, and no padding moves into the clip. The parameter is the shift in samples; positive
    values shift to later times.
    """
    lengths = batch.kept_lengths
    fractions = draw(spec.fraction, batch.keys(spec.name))
    shifts = [round(fraction * n) for fraction, n in zip(fractions, lengths, strict=True)]
    moved = batch.kept.clone()
    for row, (samples, by) in enumerate(zip(lengths, shifts, strict=True)):
        moved[row, :samples] = torch.roll(batch.kept[row, :samples], by)
    return ViewBatch(moved, lengths, tuple(float(by) for by in shifts))
