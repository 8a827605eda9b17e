"""Pitch moved by semitones, duration kept."""

from __future__ import annotations

import torch.nn.functional as F

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import resample
from pipelines.vocoder import rational_ratio, stretch
from schemas.spec import PitchSpec


def pitch(batch: ClipBatch, spec: PitchSpec, length: int) -> ViewBatch:
    """Move the pitch by ``spec.semitones``: stretch in time by 2^(semitones/12), then resample back.

    The ratio is the nearest small fraction (+2 semitones: 55/49, 0.02 cents off).
    """
    up, down = rational_ratio(2 ** (spec.semitones / 12))
    clean = batch.waveforms[:, :length]
    lengths = batch.lengths.clamp(max=length)
    moved = resample(stretch(clean, up, down), down, up)
    moved = F.pad(moved, (0, max(0, length - moved.shape[-1])))[:, :length].contiguous()
    return ViewBatch(silence_padding(moved, lengths), lengths, (spec.semitones,) * len(batch.clip_ids))
