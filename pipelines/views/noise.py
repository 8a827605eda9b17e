"""Additive white Gaussian noise at a stated signal-to-noise ratio."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.random_stream import normal
from pipelines.views.parameter import draw
from schemas.views import NoiseSpec


def noise(batch: ClipBatch, spec: NoiseSpec) -> ViewBatch:
    """Add noise with exactly the given SNR in dB over the valid samples of each clip.

    SNR = 10 log₁₀(Σ signal² / Σ noise²), fixed or drawn for each clip. The drawn noise itself is scaled, so
    that the SNR is exact for short clips, too.
    """
    keys = batch.keys(spec.name)
    snr = draw(spec.snr_db, keys)
    clean, lengths = batch.kept, batch.kept_lengths
    unscaled = silence_padding(normal(keys, clean.shape[-1], clean.device), lengths)
    ratio = torch.tensor([10 ** (-value / 10) for value in snr], device=clean.device)
    signal_power = clean.square().sum(-1)
    noise_power = unscaled.square().sum(-1).clamp(min=torch.finfo(torch.float32).tiny)
    gain = (signal_power * ratio / noise_power).sqrt()
    return ViewBatch(torch.addcmul(clean, unscaled, gain[:, None]), lengths, snr)
