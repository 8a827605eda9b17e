"""How this machine calculates: CPUs differ in the last bit, and so do stores that they build."""

from __future__ import annotations

import hashlib

import numpy as np
import soxr
import torch
from scipy.signal import sosfilt


def arithmetic() -> str:
    """Hash of what the libraries return for fixed input.

    Two machines with the same hash build the same bytes; with another one, values are compared instead.
    """
    samples = np.random.Generator(np.random.Philox(key=7)).standard_normal((4, 2048))
    waves = torch.from_numpy(samples.astype(np.float32))
    spectrum = torch.fft.rfft(waves.unfold(1, 512, 256) * torch.hann_window(512)).abs().square()
    bands = torch.linspace(0, 1, 16 * 257).reshape(16, 257).sin() @ spectrum.mT
    parts = [
        np.exp(np.sin(samples)).tobytes(),
        sosfilt(np.array([[0.2, 0.3, 0.2, 1.0, -0.4, 0.1]]), samples).tobytes(),
        soxr.resample(samples[0].astype(np.float32), 16_000, 8_000, quality="HQ").tobytes(),
        spectrum.numpy().tobytes(),
        bands.abs().log10().numpy().tobytes(),
        torch.fft.irfft(torch.fft.rfft(waves)).numpy().tobytes(),
        (waves @ waves.mT).softmax(dim=1).numpy().tobytes(),
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()
