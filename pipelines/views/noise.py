"""Additive white Gaussian noise at a stated signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan, silence_padding
from pipelines.random_stream import key_words, normal
from pipelines.transfer import bits_of_floats, floats_of_bits
from pipelines.views.parameter import draw
from schemas.views import NoiseSpec


def noise(batch: ClipBatch, spec: NoiseSpec) -> ViewPlan:
    """Add noise with exactly the given SNR in dB over the valid samples of each clip.

    SNR = 10 log₁₀(Σ signal² / Σ noise²), fixed or drawn for each clip. The drawn noise itself is scaled, so
    that the SNR is exact for short clips, too.
    """
    keys = batch.keys(spec.name)
    snr = draw(spec.snr_db, keys)
    lengths = batch.kept_lengths

    def add_noise(batch: ClipBatch, words: torch.Tensor) -> torch.Tensor:
        clean = batch.kept
        unscaled = silence_padding(normal(words[1:3], clean.shape[-1]), lengths, words[0])
        signal_power = clean.square().sum(-1)
        noise_power = unscaled.square().sum(-1).clamp(min=torch.finfo(torch.float32).tiny)
        gain = (signal_power * floats_of_bits(words[3]) / noise_power).sqrt()
        return torch.addcmul(clean, unscaled, gain[:, None])

    ratio = bits_of_floats([10 ** (-value / 10) for value in snr])
    return ViewPlan(lengths, snr, np.vstack([np.array(lengths), key_words(keys), ratio]), add_noise)
