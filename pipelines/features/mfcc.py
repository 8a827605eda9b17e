"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def dct_matrix(n_mfcc: int, n_mels: int) -> npt.NDArray[np.float64]:
    """Orthonormal DCT-II as a matrix, (n_mfcc, n_mels): MFCC = matrix · mel dB.

    Entry (k, m) is √(2/M) · cos(π k (m + ½) / M), row 0 divided by √2 (Davis & Mermelstein 1980).
    """
    k = np.arange(n_mfcc)[:, None]
    m = np.arange(n_mels)[None, :]
    matrix: npt.NDArray[np.float64] = np.sqrt(2 / n_mels) * np.cos(np.pi * k * (m + 0.5) / n_mels)
    matrix[0] /= np.sqrt(2)
    return matrix
