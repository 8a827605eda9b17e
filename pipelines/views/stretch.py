"""Spoken faster or slower: duration changes, pitch stays."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.resample import LARGEST, rational_ratio
from pipelines.views.parameter import drawn
from pipelines.views.rows import by_value
from pipelines.views.speed import source_samples, valid_samples
from pipelines.vocoder import N_FFT, analyse, finer, synthesise
from schemas.views import StretchSpec


def stretch(batch: ClipBatch, spec: StretchSpec) -> ViewBatch:
    """Let the clip take 1 / ``factor`` of its time by the phase vocoder, then cut it to the fixed length.

    Frames are analysed and laid out again at two whole hops whose ratio is the factor. Like the speed
    view, a faster one reads further into the recording.
    """
    factors = drawn(spec.factor, batch.keys(spec.name))
    ratios = [rational_ratio(factor) for factor in factors]

    def stretched(part: ClipBatch, ratio: tuple[int, int]) -> torch.Tensor:
        faster, slower = ratio
        source = part.waveforms[:, : source_samples(part.length, ratio)]
        scale = finer(part.sample_rate)
        several = int(LARGEST * scale) // max(ratio)
        length = min(part.length, -(-source.shape[-1] * slower // faster))
        analysis = analyse(source, size=2 * round(N_FFT * scale / 2), hop=faster * several)
        return synthesise(analysis, size=analysis.size, hop=slower * several, length=length)

    moved = by_value(batch, ratios, stretched)
    lengths = tuple(
        valid_samples(n, batch.length, ratio) for n, ratio in zip(batch.lengths, ratios, strict=True)
    )
    return ViewBatch(silence_padding(moved, lengths), lengths, factors)
