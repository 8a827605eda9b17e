"""WAV files that preserve the waveforms of the pipeline."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile

from featurestore.places.durable import write_together

_STEPS = 32_768
"""Steps of 16-bit PCM up to full scale."""


@dataclass(frozen=True)
class WavFile:
    """A written file; ``peak`` is the largest magnitude, where 1 is full scale."""

    path: Path
    is_float: bool
    peak: float


def write_wav(path: Path, samples: npt.NDArray[np.float32], sample_rate: int) -> WavFile:
    """Write (n,) float32 samples as 16-bit PCM, or as 32-bit float if a sample is beyond ± 1.

    PCM is accurate to half a step of 1/32,768 (a sample of exactly 1, to one step). Float preserves what PCM
    would clip; scaling the view down instead would make a louder view sound softer.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    is_float = peak > 1.0
    values = samples if is_float else np.clip(np.rint(samples * _STEPS), -_STEPS, _STEPS - 1).astype(np.int16)
    file = io.BytesIO()
    wavfile.write(file, sample_rate, values)
    write_together({path: file.getvalue()})
    return WavFile(path, is_float, peak)
