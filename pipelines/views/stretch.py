"""Faster or slower speech at the same pitch."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import LARGEST, rational_ratio
from pipelines.views.parameter import draw
from pipelines.views.rows import by_value
from pipelines.views.speed import source_samples, valid_samples
from pipelines.vocoder import N_FFT, analyse, synthesise, window_scale
from schemas.views import StretchSpec


def stretch(batch: ClipBatch, spec: StretchSpec) -> ViewBatch:
    """Stretch the clip to 1 / ``factor`` of its duration with the phase vocoder, then cut to the fixed
    length.

    Frames are analysed and synthesised at two integer hops with the factor as their ratio. As with the speed
    view, a faster view uses more of the recording.
    """
    factors = draw(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]

    def change_tempo(part: ClipBatch, ratio: tuple[int, int]) -> torch.Tensor:
        faster, slower = ratio
        source = part.waveforms[:, : source_samples(part.length, ratio)]
        scale = window_scale(part.sample_rate)
        several = int(LARGEST * scale) // max(ratio)
        length = min(part.length, -(-source.shape[-1] * slower // faster))
        analysis = analyse(source, size=2 * round(N_FFT * scale / 2), hop=faster * several)
        return synthesise(analysis, size=analysis.size, hop=slower * several, length=length)

    moved = by_value(batch, ratios, change_tempo)
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )
    return ViewBatch(silence_padding(moved, lengths), lengths, factors)
