"""Playback faster or slower: duration and pitch change together."""

from __future__ import annotations

import torch.nn.functional as F

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import resample
from pipelines.vocoder import rational_ratio
from schemas.spec import SpeedSpec


def source_samples(spec: SpeedSpec, length: int) -> int:
    """Samples of the recording that the view reads to fill ``length`` samples."""
    faster, slower = rational_ratio(spec.factor)
    return -(-length * faster // slower)


def speed(batch: ClipBatch, spec: SpeedSpec, length: int) -> ViewBatch:
    """Resample so that the clip takes 1 / ``factor`` of its time, then cut or pad to ``length``.

    A faster view reads further into the recording than the original does, so that it is only padded
    where the recording itself has ended.
    """
    faster, slower = rational_ratio(spec.factor)
    source = batch.waveforms[:, : source_samples(spec, length)]
    moved = resample(source, slower, faster)
    moved = F.pad(moved, (0, max(0, length - moved.shape[-1])))[:, :length].contiguous()
    available = batch.lengths.clamp(max=source.shape[-1])
    lengths = ((available * slower + faster - 1) // faster).clamp(max=length)
    return ViewBatch(silence_padding(moved, lengths), lengths, (spec.factor,) * len(batch.clip_ids))
