"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import torch
import torchaudio.functional

from pipelines.features.by_waveform import by_waveform


class Mfcc:
    """The first ``n_mfcc`` coefficients of the orthonormal DCT-II of ``n_mels`` bands in dB, no lifter.

    c_k = √(2/M) · Σ_m dB_m · cos(π k (m + ½) / M), c_0 divided by √2 (Davis & Mermelstein 1980).
    """

    def __init__(self, n_mfcc: int, n_mels: int, device: torch.device) -> None:
        matrix: torch.Tensor = torchaudio.functional.create_dct(n_mfcc, n_mels, norm="ortho")
        self._matrix = matrix.double().to(device)

    def __call__(self, decibels: torch.Tensor) -> torch.Tensor:
        """Coefficients (waveform, frame, n_mfcc) float32 of (waveform, frame, n_mels) float32 mel dB."""
        # In float64, as float32 sums of 128 values near −80 dB have errors of 2e-3.
        waveforms, frames, _ = decibels.shape
        rows = by_waveform(
            lambda part: part @ self._matrix, decibels.double().flatten(0, 1), [frames] * waveforms
        )
        return rows.float().view(waveforms, frames, -1)
