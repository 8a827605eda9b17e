"""Mel power spectrograms in decibels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

AMIN = 1e-10
TOP_DB = 80.0
_GROUP = 16
"""Bands that one matrix product gives: few enough to leave most bins out, enough to keep it busy."""


class MelBands:
    """Mel filters applied band by band: a triangle is zero outside two bands' width, which is left out."""

    def __init__(self, sample_rate: int, n_fft: int, n_mels: int, device: torch.device) -> None:
        filters = torch.from_numpy(mel_filters(sample_rate, n_fft, n_mels)).float()
        self._groups: list[tuple[slice, torch.Tensor]] = []
        for group in torch.split(filters, _GROUP):
            bins = torch.nonzero(group.any(dim=0))[:, 0]
            reach = slice(int(bins[0]), int(bins[-1]) + 1) if len(bins) else slice(0, 1)
            self._groups.append((reach, group[:, reach].T.contiguous().to(device)))

    def __call__(self, power: torch.Tensor) -> torch.Tensor:
        """Power in each band, (row, n_mels) float32, of (row, 1 + n_fft/2) power spectra."""
        return torch.cat([power[:, reach] @ weights for reach, weights in self._groups], dim=1)


def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> npt.NDArray[np.float64]:
    """Triangular filters with Slaney's scale and norm: (n_mels, 1 + n_fft/2), area 1 in Hz.

    Slaney, "Auditory Toolbox", 1998: the scale is linear below 1 kHz (200/3 Hz a mel) and logarithmic
    above (27 steps to a factor of 6.4); 0 Hz to half the sample rate.
    """
    edges = mel_edges(sample_rate, n_mels)
    bins = np.linspace(0, sample_rate / 2, 1 + n_fft // 2)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    filters: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * area[:, None]
    return filters


def mel_edges(sample_rate: int, n_mels: int) -> npt.NDArray[np.float64]:
    """Edges of the mel bands in Hz, (n_mels + 2,): band m spans m … m + 2 and peaks at m + 1."""
    linear_step, knee, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    top = sample_rate / 2
    top_mel = top / linear_step if top < knee else knee / linear_step + np.log(top / knee) / log_step
    mels = np.linspace(0, top_mel, n_mels + 2)
    knee_mel = knee / linear_step
    return np.where(
        mels < knee_mel, mels * linear_step, knee * np.exp(log_step * (np.maximum(mels, knee_mel) - knee_mel))
    )


def power_to_db(power: torch.Tensor) -> torch.Tensor:
    """10 log₁₀ of (waveform, frame, band) power, re 1.0, floored 80 dB below each waveform's own maximum.

    Powers below 1e-10 count as 1e-10 (``librosa.power_to_db`` with its defaults, waveform by waveform).
    """
    decibels = power.clamp(min=AMIN).log10_().mul_(10)
    floor = decibels.amax(dim=(-2, -1), keepdim=True) - TOP_DB
    return torch.maximum(decibels, floor)
