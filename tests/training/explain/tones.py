"""A corpus whose emotions are known quantities of its sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE, SECONDS = 8000, 0.5
LOW_HZ, HIGH_HZ = 500.0, 1500.0


def write_tones(folder: Path) -> Path:
    """Write 96 clips of 8 speakers, and their table; return its path.

    Only the pitch of the second half carries the emotion: angry is high, sad is low. The pitch of the first
    half and the course of the loudness are drawn for each clip.
    """
    generator = np.random.default_rng(5)
    half = round(RATE * SECONDS / 2)
    times = np.arange(half) / RATE
    rows = []
    for number in range(96):
        emotion = ("angry", "sad")[number % 2]
        first = generator.choice([LOW_HZ, HIGH_HZ])
        second = HIGH_HZ if emotion == "angry" else LOW_HZ
        tones = [np.sin(2 * np.pi * hertz * (times + generator.uniform())) for hertz in (first, second)]
        levels = np.interp(np.arange(2 * half), np.linspace(0, 2 * half, 6), generator.uniform(0.3, 1, 6))
        sound = 0.5 * levels * np.concatenate(tones) + generator.normal(0, 0.01, 2 * half)
        name = f"clip-{number:03d}.wav"
        soundfile.write(folder / name, sound, RATE, subtype="PCM_16")
        speaker = number // 2 % 8
        rows.append(
            {
                "file": name,
                "speaker": f"s{speaker}",
                "gender": ("female", "male")[speaker % 2],
                "emotion": emotion,
            }
        )
    pd.DataFrame(rows).to_csv(folder / "tones.csv", index=False)
    return folder / "tones.csv"
