"""Fill Numba's cache in ``NUMBA_CACHE_DIR`` with the functions of librosa that the tests call."""

from __future__ import annotations

import librosa
import numpy as np

RATE = 22_050


def main() -> None:
    """Call each function once with the types of the tests: Numba compiles for types."""
    for kind in (np.float32, np.float64):
        sound = np.sin(2 * np.pi * 220 / RATE * np.arange(RATE)).astype(kind)
        librosa.feature.melspectrogram(y=sound, sr=RATE)
        librosa.feature.zero_crossing_rate(sound)
        librosa.feature.chroma_stft(y=sound, sr=RATE)
        librosa.feature.rms(y=sound)
        librosa.effects.pitch_shift(sound, sr=RATE, n_steps=2)
        librosa.effects.trim(sound)
        librosa.yin(sound, fmin=60, fmax=520, sr=RATE)


if __name__ == "__main__":
    main()
