"""Circular shift in time."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.random_stream import uniform
from schemas.spec import ShiftSpec


def shift(batch: ClipBatch, spec: ShiftSpec, length: int) -> ViewBatch:
    """Rotate each clip within its valid samples by a shift drawn from ± ``fraction`` of their number.

    No sample is lost and no padding moves into the clip. The parameter is the shift in samples,
    positive towards later.
    """
    lengths = batch.lengths.clamp(max=length)
    drawn = [uniform(key, 0, -spec.fraction, spec.fraction) for key in batch.keys(spec.name)]
    shifts = [round(value * n) for value, n in zip(drawn, lengths.tolist(), strict=True)]
    by = torch.tensor(shifts, dtype=torch.int64, device=lengths.device)
    position = torch.arange(length, device=lengths.device).expand(len(shifts), -1)
    modulus = lengths.clamp(min=1)[:, None]
    source = torch.where(position < lengths[:, None], (position - by[:, None]) % modulus, position)
    return ViewBatch(batch.waveforms[:, :length].gather(1, source), lengths, tuple(float(s) for s in shifts))
