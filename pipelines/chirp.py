"""Fourier transforms whose size differs from clip to clip, for all clips of a batch at once.

With jk = (j² + k² − (k − j)²) / 2, a transform of any size is a convolution with a chirp (Bluestein 1970),
and convolutions of all sizes up to a largest one are computed by transforms of one size.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from pipelines.vocoder import is_smooth


def transform_rows(frames: torch.Tensor, sizes: torch.Tensor, bins: int) -> torch.Tensor:
    """The first ``bins`` of Σ_j x_j · exp(−2πi jk / N): (clip, frame, bins) complex64.

    ``frames`` : (clip, frame, sample) float32, zero from each clip's N on. ``sizes`` : N, (clip,) int64.
    """
    return _convolve(frames, sizes, bins, sign=-1)


def invert_rows(spectra: torch.Tensor, sizes: torch.Tensor, samples: int) -> torch.Tensor:
    """The first ``samples`` of Re Σ_k X_k · exp(2πi jk / N): (clip, frame, samples) float32.

    ``spectra`` : (clip, frame, bin) complex64. ``sizes`` : N, (clip,) int64. For the real numbers that have X
    as the lower half of their spectrum, X is given as 2 / N of itself, or 1 / N at 0 Hz and N / 2.
    """
    return _convolve(spectra, sizes, samples, sign=1).real


def _convolve(values: torch.Tensor, sizes: torch.Tensor, outputs: int, sign: int) -> torch.Tensor:
    inputs = values.shape[-1]
    total = convolution_size(inputs, outputs)
    squares = _squares(max(inputs, outputs), outputs, total, sizes.device)
    halves = squares.remainder(2 * sizes[:, None]).to(torch.float64) / sizes[:, None]
    angles = halves.mul_(sign * math.pi)
    chirps = torch.complex(angles.cos(), angles.sin()).to(torch.complex64)
    chirp, kernel = chirps[:, None, :-total], torch.fft.fft(chirps[:, None, -total:].conj())
    spectra = torch.fft.fft(values * chirp[..., :inputs], n=total).mul_(kernel)
    results: torch.Tensor = torch.fft.ifft(spectra)[..., :outputs] * chirp[..., :outputs]
    return results


@lru_cache(maxsize=256)
def convolution_size(inputs: int, outputs: int) -> int:
    """Size of the transforms: the smallest fast one in which the ends of the convolution do not meet."""
    size = inputs + outputs - 1
    while not is_smooth(size):
        size += 1
    return size


@lru_cache(maxsize=64)
def _squares(count: int, outputs: int, total: int, device: torch.device) -> torch.Tensor:
    """Squares of 0 … ``count`` − 1, then of the distances k − j in the order of a circular convolution."""
    circle = torch.arange(total)
    distances = torch.where(circle < outputs, circle, total - circle)
    return torch.cat([torch.arange(count), distances]).square().to(device)
