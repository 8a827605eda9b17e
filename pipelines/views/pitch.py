"""Pitch moved by semitones, duration kept."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.views.parameter import drawn
from pipelines.views.rows import by_value
from pipelines.vocoder import HOP, finer, frame_sizes, synthesise
from schemas.views import PitchSpec


def pitch(batch: ClipBatch, spec: PitchSpec) -> ViewBatch:
    """Move the pitch by the semitones s: every frame of the vocoder is resampled by 2^(s/12).

    The ratio is that of two frame sizes, at most a cent off for most s, two for all up to an octave.
    Magnitudes beyond half the rate are cut off, not folded back.
    """
    semitones = drawn(spec.semitones, batch.keys(spec.name))
    scale = finer(batch.sample_rate)
    sizes = [frame_sizes(2 ** (s / 12), scale) for s in semitones]

    def moved(part: ClipBatch, pair: tuple[int, int]) -> torch.Tensor:
        # Short frames lie closer, so that as many of them overlap.
        analysis = part.analysis(pair[0], hop=min(round(HOP * scale), 2 * pair[1] // 9))
        return synthesise(analysis, size=pair[1], hop=analysis.hop, length=part.kept.shape[-1])

    waveforms = silence_padding(by_value(batch, sizes, moved), batch.kept_lengths)
    return ViewBatch(waveforms, batch.kept_lengths, semitones)
