"""Difference between two sounds after aligning them. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.audits.sounds import Floats, Sounds

OFFSETS_SECONDS = np.arange(-16, 17) * 0.006
"""Offsets at which the second sound is compared: trimming and codecs shift the frames of a copy."""

LEAST_SECONDS = 0.4
"""Sounds shorter than this are alike by chance."""

MOST_GAIN_DB = 3.0
"""Largest difference between the peak levels of a copy and its original; levels are relative to the peak."""

_FIRM_DB = 5.0
"""Lowest level used to estimate the gain between two sounds."""


def difference_db(sounds: Sounds, a: int, b: int, frames_per_second: float) -> float:
    """Mean absolute level difference of two clips in dB, where either is above silence, at the best offset.

    ``a`` and ``b`` are indices into ``sounds``. Infinite if both are above silence together for less than
    :data:`LEAST_SECONDS`, which is too short to compare.
    """
    reach = sounds.levels.shape[2]
    steps = np.arange(-reach, reach + 1)
    still = _at(sounds.levels[a], sounds.middles[a] + steps)
    best = np.inf
    for offset in OFFSETS_SECONDS * frames_per_second:
        moved = _at(sounds.levels[b], sounds.middles[b] + offset + steps)
        if (still.any(axis=0) & moved.any(axis=0)).sum() >= LEAST_SECONDS * frames_per_second:
            best = min(best, _mean_difference(still, moved))
    return float(best)


def _mean_difference(one: Floats, other: Floats) -> float:
    either, both = (one > 0) | (other > 0), (one > _FIRM_DB) & (other > _FIRM_DB)
    differences = one - other
    gain = np.median(differences[both]) if both.any() else 0.0
    return float(np.abs(differences[either] - np.clip(gain, -MOST_GAIN_DB, MOST_GAIN_DB)).mean())


def _at(levels: Floats, frames: NDArray[np.float64]) -> Floats:
    """Levels (bands, frames) interpolated linearly at fractional frames; silence outside."""
    count = levels.shape[1]
    padded = np.concatenate([levels, np.zeros((len(levels), 1), dtype=np.float32)], axis=1)
    below = np.floor(frames).astype(np.int64)
    share = (frames - below).astype(np.float32)
    first, second = (np.where((i >= 0) & (i < count), i, count) for i in (below, below + 1))
    return np.asarray(padded[:, first] * (1 - share) + padded[:, second] * share, dtype=np.float32)
