"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import torch
import torchaudio.functional


class Mfcc:
    """The first ``n_mfcc`` coefficients of the orthonormal DCT-II of ``n_mels`` bands in dB, no lifter.

    c_k = √(2/M) · Σ_m dB_m · cos(π k (m + ½) / M), c_0 divided by √2 (Davis & Mermelstein 1980).
    """

    def __init__(self, n_mfcc: int, n_mels: int, device: torch.device) -> None:
        matrix: torch.Tensor = torchaudio.functional.create_dct(n_mfcc, n_mels, norm="ortho")
        self._matrix = matrix.double().to(device)

    def __call__(self, decibels: torch.Tensor) -> torch.Tensor:
        """Coefficients (waveform, frame, n_mfcc) float32 of (waveform, frame, n_mels) float32 mel dB."""
        # float64: float32 sums of 128 values near −80 dB would lose 2e-3
        coefficients: torch.Tensor = decibels.double() @ self._matrix
        return coefficients.float()
