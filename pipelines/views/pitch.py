"""Pitch shifted by semitones, at the same duration."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan, silence_padding
from pipelines.views.parameter import draw
from pipelines.vocoder import HOP, SIZES, frame_sizes, synthesise, window_scale
from pipelines.vocoder_by_clip import VocoderLimits, change_by_clip
from schemas.views import PitchSpec, span


def pitch(batch: ClipBatch, spec: PitchSpec) -> ViewPlan:
    """Shift the pitch by s semitones: every frame of the vocoder is resampled by 2^(s/12).

    The ratio is that of two frame sizes, with an error of at most one cent for most s, and two cents for all
    up to an octave. Frequencies beyond half the sample rate are removed, not aliased.
    """
    semitones = draw(spec.semitones, batch.keys(spec.name))
    scale = window_scale(batch.sample_rate)
    sizes = [frame_sizes(2 ** (s / 12), scale) for s in semitones]
    hops = [_hop(size, scale) for _, size in sizes]
    lengths = batch.kept_lengths

    def shift_together(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        analysis = batch.analysis(sizes[0][0], hops[0])
        moved = synthesise(analysis, size=sizes[0][1], hop=hops[0], length=batch.kept.shape[-1])
        return silence_padding(moved, lengths, words[0])

    def shift_by_clip(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        limits = pitch_limits(spec, batch.sample_rate)
        moved = change_by_clip(batch.kept, words[1:], limits, batch.kept.shape[-1])
        return silence_padding(moved, lengths, words[0])

    if batch.alone or not isinstance(spec.semitones, tuple):
        return ViewPlan(lengths, semitones, np.array([lengths]), shift_together)
    return ViewPlan(
        lengths, semitones, np.array([lengths, *zip(*sizes, strict=True), hops, hops]), shift_by_clip
    )


def pitch_limits(spec: PitchSpec, sample_rate: int) -> VocoderLimits:
    """Bounds of sizes and hops of a view that draws its semitones."""
    scale = window_scale(sample_rate)
    lowest, highest = (2 ** (s / 12) for s in span(spec.semitones))
    shortest, longest = (2 * round(limit * scale / 2) for limit in SIZES)
    smallest_hop = _hop(2 * round(shortest / highest / 2), scale)
    return VocoderLimits(longest, 2 * round(longest / lowest / 2), smallest_hop, round(HOP * scale))


def _hop(size: int, scale: float) -> int:
    """Short frames have a shorter hop, so that as many of them overlap."""
    return min(round(HOP * scale), 2 * size // 9)
