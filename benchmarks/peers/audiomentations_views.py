"""audiomentations: only the views."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
from audiomentations import AddGaussianSNR, Compose, PitchShift, Resample, Shift

NAME = "audiomentations, views only"
DOES = (
    "All seven views and no feature, to be compared with the views' time alone; pitch by Signalsmith Stretch "
    "(its default), speed by resampling to a whole number of hertz; loaded and trimmed by librosa."
)

RATE, LENGTH = 22_050, 66_150
Samples = npt.NDArray[np.float32]


def run(files: Sequence[Path]) -> int:
    """Read the recordings and compute their views; returns the number of views. `views` excludes reading."""
    return sum(len(views(load(file))) for file in files)


def load(path: Path) -> Samples:
    """A recording at 22,050 Hz, mono, trimmed, cut or padded to 3 s."""
    y, _ = librosa.load(path, sr=RATE)
    y, _ = librosa.effects.trim(y, top_db=40)
    return _fixed(y)


def views(y: Samples) -> list[Samples]:
    """The original, noise at 10 to 30 dB SNR, pitch +2 and −2, shift within ± 20 %, speed 0.8 and 1.25."""
    return [y, *(_fixed(make(y, sample_rate=RATE)) for make in _augmentations())]


def _fixed(y: Samples) -> Samples:
    return np.asarray(librosa.util.fix_length(y, size=LENGTH))


@cache
def _augmentations() -> list[Compose]:
    slow, fast = round(RATE / 0.8), round(RATE / 1.25)
    transforms = [
        AddGaussianSNR(10.0, 30.0, p=1.0),
        PitchShift(2.0, 2.0, p=1.0),
        PitchShift(-2.0, -2.0, p=1.0),
        Shift(-0.2, 0.2, fade_duration=0.0, p=1.0),
        Resample(slow, slow, p=1.0),
        Resample(fast, fast, p=1.0),
    ]
    return [Compose([transform]) for transform in transforms]
