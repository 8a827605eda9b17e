"""Waveforms as WAV files that keep what the pipeline heard."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile

from featurestore.places.durable import write_durably

_STEPS = 32_768
"""Of 16-bit PCM to full scale."""


@dataclass(frozen=True)
class WavFile:
    """A file that was written: ``peak`` is the largest magnitude, 1 being full scale."""

    path: Path
    is_float: bool
    peak: float


def write_wav(path: Path, samples: npt.NDArray[np.float32], sample_rate: int) -> WavFile:
    """Write (n,) float32 as 16-bit PCM, or as 32-bit float where a sample lies beyond ± 1.

    PCM is within half a step of 1/32,768 (a sample of exactly 1 within one). Float keeps what PCM would
    clip; scaling the view down instead would make a louder view sound like a softer one.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    is_float = peak > 1.0
    values = samples if is_float else np.clip(np.rint(samples * _STEPS), -_STEPS, _STEPS - 1).astype(np.int16)
    file = io.BytesIO()
    wavfile.write(file, sample_rate, values)
    write_durably(path, file.getvalue())
    return WavFile(path, is_float, peak)
