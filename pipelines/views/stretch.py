"""Faster or slower speech at the same pitch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan, silence_padding
from pipelines.ratio import LARGEST, ratio_bounds, rational_ratio, source_samples, valid_samples
from pipelines.views.parameter import draw
from pipelines.views.speed import cut_source
from pipelines.vocoder import N_FFT, analyse, synthesise, window_scale
from pipelines.vocoder_by_clip import VocoderLimits, change_by_clip
from schemas.views import StretchSpec, span


def stretch(batch: ClipBatch, spec: StretchSpec) -> ViewPlan:
    """Stretch the clip to 1 / ``factor`` of its duration with the phase vocoder, then cut to the fixed
    length.

    Frames are analysed and synthesised at two integer hops with the factor as their ratio. As with the speed
    view, a faster view uses more of the recording.
    """
    factors = draw(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]
    scale = window_scale(batch.sample_rate)
    size = _size(scale)
    hops = [_hops(ratio, scale) for ratio in ratios]
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )

    def stretch_together(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        faster, slower = ratios[0]
        source = batch.waveforms[:, : source_samples(batch.length, ratios[0])]
        length = min(batch.length, -(-source.shape[-1] * slower // faster))
        analysis = analyse(source, size=size, hop=hops[0][0])
        moved = synthesise(analysis, size=size, hop=hops[0][1], length=length)
        return silence_padding(moved, lengths, words[0])

    def stretch_by_clip(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        limits = stretch_limits(spec, batch.sample_rate)
        moved = change_by_clip(cut_source(batch, words[5]), words[1:5], limits, batch.length)
        return silence_padding(moved, lengths, words[0])

    if batch.alone or not isinstance(spec.factor, tuple):
        return ViewPlan(lengths, factors, np.array([lengths]), stretch_together)
    sizes = [size] * len(lengths)
    sources = [source_samples(batch.length, ratio) for ratio in ratios]
    words = np.array([lengths, sizes, sizes, *zip(*hops, strict=True), sources])
    return ViewPlan(lengths, factors, words, stretch_by_clip)


def stretch_limits(spec: StretchSpec, sample_rate: int) -> VocoderLimits:
    """Bounds of sizes and hops of a view that draws its factors."""
    scale = window_scale(sample_rate)
    return VocoderLimits(_size(scale), _size(scale), *_hop_bounds(*span(spec.factor), scale))


def _size(scale: float) -> int:
    return 2 * round(N_FFT * scale / 2)


def _hops(ratio: tuple[int, int], scale: float) -> tuple[int, int]:
    """Hops of analysis and synthesis."""
    several = int(LARGEST * scale) // max(ratio)
    return ratio[0] * several, ratio[1] * several


@lru_cache(maxsize=64)
def _hop_bounds(low: float, high: float, scale: float) -> tuple[int, int]:
    """Smallest and largest hop of all ratios that factors from ``low`` to ``high`` may lead to."""
    slowest, fastest = ratio_bounds(low, high)
    parts = range(1, LARGEST + 1)
    hops = [hop for a in parts for b in parts if slowest <= a / b <= fastest for hop in _hops((a, b), scale)]
    return min(hops), max(hops)
