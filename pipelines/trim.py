"""Bounds of the sound in a clip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FRAME_LENGTH = 2048
HOP_LENGTH = 512
_FLOOR = 1e-5
"""Amplitudes below this count as this (``librosa.amplitude_to_db``'s ``amin``)."""


def trim_bounds(samples: npt.NDArray[np.float32], top_db: float) -> tuple[int, int]:
    """First sample of the sound, and the sample after its last.

    A frame (2,048 samples, hop 512, centred, zero-padded) is silent if its root mean square is
    more than ``top_db`` dB below that of the loudest frame, as in ``librosa.effects.trim``. A clip without
    sound gives (0, 0).
    """
    half = FRAME_LENGTH // 2
    frames = 1 + len(samples) // HOP_LENGTH
    padded = np.zeros(FRAME_LENGTH + HOP_LENGTH * (frames - 1), dtype=np.float32)
    kept = min(len(samples), len(padded) - half)
    padded[half : half + kept] = samples[:kept]
    blocks = np.square(padded).reshape(-1, HOP_LENGTH).sum(axis=1)
    power = np.lib.stride_tricks.sliding_window_view(blocks, FRAME_LENGTH // HOP_LENGTH).sum(axis=1)
    level = np.maximum(np.sqrt(power / FRAME_LENGTH), _FLOOR)
    loud = np.flatnonzero(20 * np.log10(level / level.max()) > -top_db)
    if not len(loud):
        return 0, 0
    return int(loud[0]) * HOP_LENGTH, min(len(samples), (int(loud[-1]) + 1) * HOP_LENGTH)
