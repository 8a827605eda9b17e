"""The librosa loop with one STFT per view, from which mel, MFCC and chroma are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import librosa
import numpy as np

from . import librosa_loop
from .librosa_loop import RATE, Samples

NAME = "librosa, shared STFT"
DOES = (
    "All seven views and seven features, equal to the loop's; one STFT per view serves mel, MFCC and "
    "chroma; one BLAS thread per process."
)


def run(files: Sequence[Path], processes: int = 1) -> int:
    """Compute the features; returns the number of views. Includes the start of processes: see `prepare`."""
    with prepare(processes) as start:
        return start(files)


def prepare(processes: int = 1) -> AbstractContextManager[Callable[[Sequence[Path]], int]]:
    """``run`` with warm processes of one BLAS thread each; this is what to time."""
    return librosa_loop.prepare(processes, features)


def features(y: Samples) -> dict[str, Samples]:
    """The seven features of one waveform, (coefficient, frame) each."""
    power = np.abs(librosa.stft(y)) ** 2
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=RATE))
    mfcc = librosa.feature.mfcc(S=mel, n_mfcc=40)
    return {
        "mel": mel,
        "mfcc": mfcc,
        "delta": librosa.feature.delta(mfcc),
        "delta2": librosa.feature.delta(mfcc, order=2),
        "chroma": librosa.feature.chroma_stft(S=power, sr=RATE),
        "rms": librosa.feature.rms(y=y),
        "zcr": librosa.feature.zero_crossing_rate(y),
    }
