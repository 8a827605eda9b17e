"""Fingerprints of recordings, which are alike for copies and rarely otherwise. No torch.

A copy is the same sound in another file: re-encoded, resampled, louder or quieter, cut or padded with
silence, or with slight noise. A copy keeps which bands are loud at which time, relative to the centre of the
energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from training.audits.sounds import Floats, Sounds, SoundSource

BANDS, CELLS = 16, 24
CELL_SECONDS = 0.08
"""Long enough that an offset of one frame between a clip and its copy matters little; 24 cells cover the
middle 1.9 s."""


SHIFTS_SECONDS = (-0.075, -0.05, -0.025, 0.025, 0.05, 0.075)
"""Shifts between the middle of a clip cut by the store's window and the middle of its copy: less silence
trimmed at the start leaves less sound at the end."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Fingerprints of n clips; the dot product of two is their cosine similarity."""

    values: Floats
    """(n, BANDS · CELLS), each of norm 1."""
    filled: NDArray[np.int64]
    """(m,), ascending: indices of the clips that fill the store's window."""
    shifted: Floats
    """(shifts, m, BANDS · CELLS): of the clips ``filled``, the middle moved by :data:`SHIFTS_SECONDS`."""


def fingerprints_of(store: FeatureStore, positions: NDArray[np.int64]) -> Fingerprint:
    """Fingerprints of usable clips.

    Raises
    ------
    UsageError
        If the store holds neither mel nor MFCC.
    """
    source = SoundSource.of(store.spec)
    cell_frames = CELL_SECONDS * source.frames_per_second
    values = np.empty((len(positions), BANDS * CELLS), dtype=np.float32)
    filled = np.zeros(len(positions), dtype=bool)
    shifted = [np.empty((len(SHIFTS_SECONDS), 0, BANDS * CELLS), dtype=np.float32)]
    for part, sounds in source.blocks(store, positions):
        values[part] = fingerprint(sounds, source.reach, cell_frames)
        filled[part] = sounds.filled
        cut, middles = sounds.levels[sounds.filled], sounds.middles[sounds.filled]
        moved = [
            Sounds(cut, middles + shift * source.frames_per_second, sounds.filled[sounds.filled])
            for shift in SHIFTS_SECONDS
        ]
        shifted.append(np.stack([fingerprint(one, source.reach, cell_frames) for one in moved]))
    return Fingerprint(values, np.flatnonzero(filled), np.concatenate(shifted, axis=1))


def fingerprint(sounds: Sounds, reach: float, cell_frames: float) -> Floats:
    """Mean levels in :data:`BANDS` bands and :data:`CELLS` time cells, minus the mean of each band.

    Parameters
    ----------
    sounds
        n clips.
    reach : float
        Number of their bands to pool, with a fraction of the last one.
    cell_frames : float
        Frames per cell.

    Returns
    -------
    (n, BANDS · CELLS) float32 of norm 1; 0 for a clip whose levels never change.
    """
    pooled = np.matmul(_pooling(sounds.levels.shape[1], reach), sounds.levels)
    cells = _means(pooled, sounds.middles[:, None] + (np.arange(CELLS + 1) - CELLS / 2) * cell_frames)
    cells -= cells.mean(axis=2, keepdims=True)  # removes the response of the microphone or channel
    flat = cells.reshape(len(cells), BANDS * CELLS)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(lengths, 1e-6), dtype=np.float32)


def _pooling(bands: int, reach: float) -> Floats:
    """(BANDS, bands): weights for averaging neighbouring bands."""
    edges = np.linspace(0, reach, BANDS + 1)
    lower, upper = edges[:-1, None], edges[1:, None]
    band = np.arange(bands)
    overlap = np.clip(np.minimum(band + 1, upper) - np.maximum(band, lower), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)


def _means(levels: Floats, edges: NDArray[np.float64]) -> Floats:
    """Mean of ``levels`` (n, bands, frames) between consecutive ``edges`` (n, cells + 1), in frames.

    The level is constant within a frame and 0, silence, outside the clip.
    """
    count, bands, frames = levels.shape
    sums = np.zeros((count, frames + 1, bands), dtype=np.float32)
    np.cumsum(levels.transpose(0, 2, 1), axis=1, out=sums[:, 1:])
    inside = np.clip(edges, 0, frames)
    below = np.minimum(inside.astype(np.int64), frames - 1)
    share = (inside - below).astype(np.float32)[:, :, None]
    rows = np.arange(count)[:, None]
    lower = sums[rows, below]
    integral = lower + (sums[rows, below + 1] - lower) * share
    widths = np.diff(edges, axis=1)[:, :, None]
    return np.asarray((np.diff(integral, axis=1) / widths).transpose(0, 2, 1), dtype=np.float32)
