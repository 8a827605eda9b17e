"""Additive white Gaussian noise at a stated signal-to-noise ratio."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch, silence_padding
from pipelines.random_stream import normal
from pipelines.views.parameter import drawn
from schemas.views import NoiseSpec


def noise(batch: ClipBatch, spec: NoiseSpec) -> ViewBatch:
    """Add noise whose power lies exactly the SNR (dB) below the clip's, over its valid samples.

    SNR = 10 log₁₀(Σ signal² / Σ noise²), fixed or drawn for each clip. The realised noise is scaled, so
    that short clips meet their SNR as well as long ones.
    """
    keys = batch.keys(spec.name)
    snr = drawn(spec.snr_db, keys)
    clean, lengths = batch.kept, batch.kept_lengths
    draw = silence_padding(normal(keys, clean.shape[-1], clean.device), lengths)
    ratio = torch.tensor([10 ** (-value / 10) for value in snr], device=clean.device)
    signal_power = clean.square().sum(-1)
    noise_power = draw.square().sum(-1).clamp(min=torch.finfo(torch.float32).tiny)
    gain = (signal_power * ratio / noise_power).sqrt()
    return ViewBatch(torch.addcmul(clean, draw, gain[:, None]), lengths, snr)
