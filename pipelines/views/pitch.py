"""Pitch shifted by semitones, at the same duration."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.views.parameter import draw
from pipelines.views.rows import by_value
from pipelines.vocoder import HOP, frame_sizes, synthesise, window_scale
from schemas.views import PitchSpec


def pitch(batch: ClipBatch, spec: PitchSpec) -> ViewBatch:
    """Shift the pitch by s semitones: every frame of the vocoder is resampled by 2^(s/12).

    The ratio is that of two frame sizes, with an error of at most one cent for most s, and two cents for all
    up to an octave. Frequencies beyond half the sample rate are removed, not aliased.
    """
    semitones = draw(spec.semitones, batch.keys(spec.name))
    scale = window_scale(batch.sample_rate)
    sizes = [frame_sizes(2 ** (s / 12), scale) for s in semitones]

    def shift_pitch(part: ClipBatch, pair: tuple[int, int]) -> torch.Tensor:
        # Short frames have a shorter hop, so that as many of them overlap.
        analysis = part.analysis(pair[0], hop=min(round(HOP * scale), 2 * pair[1] // 9))
        return synthesise(analysis, size=pair[1], hop=analysis.hop, length=part.kept.shape[-1])

    waveforms = silence_padding(by_value(batch, sizes, shift_pitch), batch.kept_lengths)
    return ViewBatch(waveforms, batch.kept_lengths, semitones)
