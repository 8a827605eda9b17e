"""Mel power spectrograms in decibels."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.features.mel_scale import mel_filters

AMIN = 1e-10
TOP_DB = 80.0
_BANDS_PER_PRODUCT = 16
"""Bands per matrix product: few enough to skip most bins, many enough to be efficient."""


class MelBands:
    """Mel filters applied in groups of bands, which skip the bins where all their triangles are zero."""

    def __init__(self, sample_rate: int, n_fft: int, n_mels: int, device: torch.device) -> None:
        filters = mel_filters(sample_rate, n_fft, n_mels).astype(np.float32)
        self._groups: list[tuple[slice, torch.Tensor]] = []
        for first in range(0, n_mels, _BANDS_PER_PRODUCT):
            group = filters[first : first + _BANDS_PER_PRODUCT]
            bins = np.flatnonzero(group.any(axis=0))
            reach = slice(int(bins[0]), int(bins[-1]) + 1) if len(bins) else slice(0, 1)
            self._groups.append((reach, torch.from_numpy(group[:, reach].T.copy()).to(device)))

    def __call__(self, power: torch.Tensor) -> torch.Tensor:
        """Power in each band, (row, n_mels) float32, of (row, 1 + n_fft/2) power spectra."""
        return torch.cat([power[:, reach] @ weights for reach, weights in self._groups], dim=1)


def power_to_db(power: torch.Tensor) -> torch.Tensor:
    """10 log₁₀ of (waveform, frame, band) power, re 1.0, floored 80 dB below the maximum of each waveform.

    Powers below 1e-10 count as 1e-10 (``librosa.power_to_db`` with its defaults, per waveform).
    """
    decibels = power.clamp(min=AMIN).log10_().mul_(10)
    floor = decibels.amax(dim=(-2, -1), keepdim=True) - TOP_DB
    return torch.maximum(decibels, floor)
