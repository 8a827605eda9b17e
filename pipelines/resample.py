"""Band-limited resampling by a rational ratio, on batches and on any device."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

LARGEST = 240
"""Numerator and denominator of a ratio are at most this."""

_ZERO_CROSSINGS = 24
_ROLLOFF = 0.92
_KAISER_BETA = 9.0
"""A windowed sinc that passes up to 0.88 of the lower Nyquist frequency and rejects aliases by > 80 dB."""

_BLOCK = 64
"""Output samples that one row of the matrix product gives at least."""

_ENOUGH_CENTS = 0.1


def resample(waveforms: torch.Tensor, numerator: int, denominator: int) -> torch.Tensor:
    """Resample (batch, n) float32 so that n samples become ⌈n · numerator / denominator⌉.

    A Kaiser-windowed sinc (Smith, "Digital Audio Resampling Home Page"), polyphase: each row of input
    samples times one matrix gives the next ``numerator`` outputs, or a multiple of them.
    """
    common = math.gcd(numerator, denominator)
    several = -(-_BLOCK * common // numerator)
    outputs, inputs = several * numerator // common, several * denominator // common
    kernel = _kernel(outputs, inputs)
    kernel = kernel.to(waveforms.device)
    before = (kernel.shape[0] - inputs) // 2
    samples = waveforms.shape[-1]
    rows = -(-samples // inputs)
    padded = F.pad(waveforms, (before, rows * inputs - samples + kernel.shape[0] - inputs - before))
    resampled = padded.unfold(-1, kernel.shape[0], inputs) @ kernel
    return resampled.flatten(-2)[..., : -(-samples * numerator // denominator)]


def rational_ratio(ratio: float) -> tuple[int, int]:
    """A fraction close to ``ratio`` with both parts at most :data:`LARGEST`.

    The one with the smallest denominator within 0.1 cents (1/1200 octave each), or the closest where none
    is: less than 4 cents off for ratios from 1/2 to 2.
    """
    pairs = [(round(ratio * d), d) for d in range(1, LARGEST + 1) if 0 < round(ratio * d) <= LARGEST]
    errors = [abs(1200 * math.log2(numerator / denominator / ratio)) for numerator, denominator in pairs]
    good = next((i for i, error in enumerate(errors) if error <= _ENOUGH_CENTS), None)
    return pairs[good if good is not None else errors.index(min(errors))]


@lru_cache(maxsize=64)
def _kernel(outputs: int, inputs: int) -> torch.Tensor:
    """Weights of a block's inputs, and of those around it that the filter reaches: (taps, outputs)."""
    cutoff = _ROLLOFF * min(1.0, outputs / inputs)  # of the input's Nyquist frequency
    reach = math.ceil(_ZERO_CROSSINGS / cutoff)
    position = np.arange(-reach, inputs + reach)[:, None] - np.arange(outputs) * (inputs / outputs)
    crossing = position * cutoff
    inside = np.clip(crossing / _ZERO_CROSSINGS, -1, 1)
    window = np.i0(_KAISER_BETA * np.sqrt(1 - inside**2)) / np.i0(_KAISER_BETA)
    weights = np.where(np.abs(crossing) < _ZERO_CROSSINGS, cutoff * np.sinc(crossing) * window, 0.0)
    return torch.from_numpy(weights.astype(np.float32))
