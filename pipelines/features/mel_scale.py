"""The mel scale: edges and filters of its bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> npt.NDArray[np.float64]:
    """Triangular filters with Slaney's scale and norm: (n_mels, 1 + n_fft/2), area 1 in Hz.

    Slaney, "Auditory Toolbox", 1998: the scale is linear below 1 kHz (200/3 Hz per mel) and logarithmic
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
