"""Faster or slower playback, which changes duration and pitch."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import rational_ratio, resample
from pipelines.views.parameter import draw
from pipelines.views.rows import by_value
from schemas.views import SpeedSpec


def speed(batch: ClipBatch, spec: SpeedSpec) -> ViewBatch:
    """Resample to 1 / ``factor`` of the duration, then cut to the fixed length.

    A faster view uses more of the recording than the original, so that it is padded only if the recording has
    ended.
    """
    factors = draw(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]

    def change_speed(part: ClipBatch, ratio: tuple[int, int]) -> torch.Tensor:
        faster, slower = ratio
        source = part.waveforms[:, : source_samples(part.length, ratio)]
        return resample(source, slower, faster)[:, : part.length]

    moved = by_value(batch, ratios, change_speed)
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )
    return ViewBatch(silence_padding(moved.contiguous(), lengths), lengths, factors)


def source_samples(length: int, ratio: tuple[int, int]) -> int:
    """Samples of the recording that a view faster by ``ratio`` needs to fill ``length`` samples."""
    faster, slower = ratio
    return -(-length * faster // slower)


def valid_samples(recorded: int, length: int, ratio: tuple[int, int]) -> int:
    """Valid samples in a view faster by ``ratio`` of ``recorded`` samples."""
    faster, slower = ratio
    return min(length, -(-min(recorded, source_samples(length, ratio)) * slower // faster))
