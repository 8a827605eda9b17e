"""Playback faster or slower: duration and pitch change together."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import rational_ratio, resample
from pipelines.views.parameter import drawn
from pipelines.views.rows import by_value
from schemas.views import SpeedSpec


def speed(batch: ClipBatch, spec: SpeedSpec) -> ViewBatch:
    """Resample so that the clip takes 1 / ``factor`` of its time, then cut to the fixed length.

    A faster view reads further into the recording than the original does, so that it is only padded
    where the recording itself has ended.
    """
    factors = drawn(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]

    def resampled(part: ClipBatch, ratio: tuple[int, int]) -> torch.Tensor:
        faster, slower = ratio
        source = part.waveforms[:, : source_samples(part.length, ratio)]
        return resample(source, slower, faster)[:, : part.length]

    moved = by_value(batch, ratios, resampled)
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )
    return ViewBatch(silence_padding(moved.contiguous(), lengths), lengths, factors)


def source_samples(length: int, ratio: tuple[int, int]) -> int:
    """Samples of the recording that a view faster by ``ratio`` reads to fill ``length`` samples."""
    faster, slower = ratio
    return -(-length * faster // slower)


def valid_samples(recorded: int, length: int, ratio: tuple[int, int]) -> int:
    """Samples that hold sound in a view faster by ``ratio`` of ``recorded`` samples."""
    faster, slower = ratio
    return min(length, -(-min(recorded, source_samples(length, ratio)) * slower // faster))
