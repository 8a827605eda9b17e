"""Band-limited resampling by a rational ratio, on batches and on any device."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

ZERO_CROSSINGS = 24
ROLLOFF = 0.92
KAISER_BETA = 9.0
"""A windowed sinc that passes up to 0.88 of the lower Nyquist frequency and rejects aliases by > 80 dB."""

_BLOCK = 64
"""Smallest number of output samples per row of the matrix product."""


def resample(waveforms: torch.Tensor, numerator: int, denominator: int) -> torch.Tensor:
    """Resample (batch, n) float32 so that n samples become ⌈n · numerator / denominator⌉.

    A polyphase Kaiser-windowed sinc (Smith, "Digital Audio Resampling Home Page"): each row of input samples,
    multiplied by one matrix, gives the next ``numerator`` output samples, or a multiple of them.
    """
    common = math.gcd(numerator, denominator)
    several = -(-_BLOCK * common // numerator)
    outputs, inputs = several * numerator // common, several * denominator // common
    kernel = _kernel(outputs, inputs, waveforms.device)
    before = (kernel.shape[0] - inputs) // 2
    samples = waveforms.shape[-1]
    rows = -(-samples // inputs)
    padded = F.pad(waveforms, (before, rows * inputs - samples + kernel.shape[0] - inputs - before))
    resampled = padded.unfold(-1, kernel.shape[0], inputs) @ kernel
    return resampled.flatten(-2)[..., : -(-samples * numerator // denominator)]


@lru_cache(maxsize=64)
def _kernel(outputs: int, inputs: int, device: torch.device) -> torch.Tensor:
    """Weights of the inputs of a block and of the neighbouring inputs within the filter: (taps, outputs)."""
    cutoff = ROLLOFF * min(1.0, outputs / inputs)  # of the input's Nyquist frequency
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    position = np.arange(-reach, inputs + reach)[:, None] - np.arange(outputs) * (inputs / outputs)
    crossing = position * cutoff
    inside = np.clip(crossing / ZERO_CROSSINGS, -1, 1)
    window = np.i0(KAISER_BETA * np.sqrt(1 - inside**2)) / np.i0(KAISER_BETA)
    weights = np.where(np.abs(crossing) < ZERO_CROSSINGS, cutoff * np.sinc(crossing) * window, 0.0)
    return torch.from_numpy(weights.astype(np.float32)).to(device)
