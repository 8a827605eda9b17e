"""Faster or slower playback, which changes duration and pitch."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan, silence_padding
from pipelines.constants import positions
from pipelines.ratio import ratio_bounds, rational_ratio, source_samples, valid_samples
from pipelines.resample import resample
from pipelines.resample_by_clip import resample_by_clip
from pipelines.views.parameter import draw
from schemas.views import SpeedSpec, span


def speed(batch: ClipBatch, spec: SpeedSpec) -> ViewPlan:
    """Resample to 1 / ``factor`` of the duration, then cut to the fixed length.

    A faster view uses more of the recording than the original, so that it is padded only if the recording has
    ended.
    """
    factors = draw(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )

    def change_together(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        faster, slower = ratios[0]
        source = batch.waveforms[:, : source_samples(batch.length, ratios[0])]
        moved = resample(source, slower, faster)[:, : batch.length].contiguous()
        return silence_padding(moved, lengths, words[0])

    def change_by_clip(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        _, fastest = ratio_bounds(*span(spec.factor))
        moved = resample_by_clip(cut_source(batch, words[3]), words[1:3], 1 / fastest, batch.length)
        return silence_padding(moved, lengths, words[0])

    if batch.alone or not isinstance(spec.factor, tuple):
        return ViewPlan(lengths, factors, np.array([lengths]), change_together)
    numerators, denominators = [slower for _, slower in ratios], [faster for faster, _ in ratios]
    sources = [source_samples(batch.length, ratio) for ratio in ratios]
    words = np.array([lengths, numerators, denominators, sources])
    return ViewPlan(lengths, factors, words, change_by_clip)


def cut_source(batch: ClipBatch, samples: torch.Tensor) -> torch.Tensor:
    """The waveforms with silence after the ``samples``, (clip,) int64, that each clip's view may use."""
    behind = positions(batch.waveforms.shape[1], samples.device) >= samples[:, None]
    return batch.waveforms.masked_fill(behind, 0.0)
