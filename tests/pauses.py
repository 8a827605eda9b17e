"""A recording of demo voices with known pauses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16_000
PAUSES_S = (1.0, 0.8, 0.6, 1.2, 0.7)
END_S = 1.0


@dataclass(frozen=True)
class PausedSpeech:
    """Samples (n,) int16 at 16 kHz, and where each voice is louder than −40 dB of its peak, in seconds."""

    samples: npt.NDArray[np.int16]
    spans: tuple[tuple[float, float], ...]


def speak_with_pauses(demo: Path, first: int = 30) -> PausedSpeech:
    """Five voices of the demo corpus from number ``first`` on, after pauses of silence."""
    parts: list[npt.NDArray[np.int16]] = []
    spans: list[tuple[float, float]] = []
    files = sorted((demo / "demo").glob("*/*_s1_*_1.wav"))[first : first + len(PAUSES_S)]
    for file, pause_s in zip(files, PAUSES_S, strict=True):
        voice, rate = soundfile.read(file, dtype="int16")
        assert rate == RATE
        parts.append(np.zeros(int(pause_s * RATE), dtype=np.int16))
        begin = sum(map(len, parts))
        level = np.abs(voice.astype(np.int32))
        loud = np.flatnonzero(level > 0.01 * level.max())
        spans.append(((begin + int(loud[0])) / RATE, (begin + int(loud[-1])) / RATE))
        parts.append(voice)
    parts.append(np.zeros(int(END_S * RATE), dtype=np.int16))
    return PausedSpeech(np.concatenate(parts), tuple(spans))
