"""Additive white Gaussian noise at a drawn signal-to-noise ratio."""

from __future__ import annotations

import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.random_stream import normal, uniform
from schemas.spec import NoiseSpec


def noise(batch: ClipBatch, spec: NoiseSpec, length: int) -> ViewBatch:
    """Add noise whose power lies exactly the drawn SNR (dB) below the clip's, over its valid samples.

    SNR = 10 log₁₀(Σ signal² / Σ noise²), drawn uniformly from ``spec.snr_db`` for each clip. The realised
    noise is scaled, so that short clips meet their SNR as well as long ones.
    """
    keys = batch.keys(spec.name)
    snr = [uniform(key, 0, *spec.snr_db) for key in keys]
    clean = batch.waveforms[:, :length]
    lengths = batch.lengths.clamp(max=length)
    draw = normal(keys, length, clean.device)
    position = torch.arange(length, device=clean.device)
    draw.masked_fill_(position >= lengths[:, None], 0.0)
    ratio = torch.tensor([10 ** (-value / 10) for value in snr], device=clean.device)
    signal_power = clean.square().sum(-1)
    noise_power = draw.square().sum(-1).clamp(min=torch.finfo(torch.float32).tiny)
    gain = (signal_power * ratio / noise_power).sqrt()
    return ViewBatch(clean + draw * gain[:, None], lengths, tuple(snr))
