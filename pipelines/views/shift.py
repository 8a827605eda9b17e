"""Circular shift in time."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan
from pipelines.constants import positions
from pipelines.views.parameter import draw
from schemas.views import ShiftSpec


def shift(batch: ClipBatch, spec: ShiftSpec) -> ViewPlan:
    """Rotate the valid samples of each clip by a fixed or drawn fraction of their number.

    No sample is lost, and no padding moves into the clip. The parameter is the shift in samples; positive
    values shift to later times.
    """
    lengths = batch.kept_lengths
    fractions = draw(spec.fraction, batch.keys(spec.name))
    shifts = [round(fraction * n) for fraction, n in zip(fractions, lengths, strict=True)]

    def rotate(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        if batch.alone:
            return batch.kept.roll(shifts[0], dims=1)
        samples, by = words[:, :, None]
        here = positions(batch.kept.shape[1], words.device)
        source = torch.where(here < samples, (here - by).remainder(samples.clamp(min=1)), here)
        return batch.kept.gather(1, source)

    return ViewPlan(lengths, tuple(float(by) for by in shifts), np.array([lengths, shifts]), rotate)
