"""What a copy of a recording preserves: its loud parts, in bands that narrowband copies keep. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.errors import UsageError
from schemas.features import MelSpec, MfccSpec
from schemas.spec import StoreSpec
from training.splits.side import ORIGINAL_VIEW

TOP_HERTZ = 3600.0
"""Copies at 8 kHz and from low-rate codecs have nothing above this frequency."""

RANGE_DB = 40.0
"""Levels this far below the loudest count as silence: codecs and noise change anything lower."""

FILLED_SHARE = 0.95
"""A clip that fills at least this share of the store's window may have been cut by it."""

_CLIPS_AT_ONCE = 1024
"""Clips read at a time."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sounds:
    """Spectrograms of clips, independent of gain.

    ``levels`` (n, bands, frames) float32 are dB above silence, 0 … :data:`RANGE_DB`. ``middles`` (n,) float64
    are the frames at the centre of each clip's energy, where a copy is aligned with its original. ``filled``
    (n,) says which clips fill the store's window: a copy of these may be slightly shorter or longer.
    """

    levels: Floats
    middles: NDArray[np.float64]
    filled: NDArray[np.bool_]

    @classmethod
    def of(cls, decibels: Floats, valid: NDArray[np.int64]) -> Sounds:
        """Sounds of mel spectrograms (n, bands, frames) in dB with ``valid`` (n,) valid frames."""
        index = np.arange(decibels.shape[2], dtype=np.float32)
        top = decibels.max(axis=(1, 2), keepdims=True, initial=-1e4)
        levels = np.maximum(decibels - (top - np.float32(RANGE_DB)), 0)
        levels *= (index < valid[:, None])[:, None]
        energy = np.exp(levels * np.float32(np.log(10) / 10)).sum(axis=1) - levels.shape[1]
        middles = (energy @ index).astype(np.float64) / np.maximum(energy.sum(axis=1), 1e-6)
        return cls(levels, middles, valid >= FILLED_SHARE * len(index))


@dataclass(frozen=True, eq=False)
class SoundSource:
    """Reads the sounds of a store from mel or, if it holds none, from MFCC.

    The inverse cosine transform of a clip's first MFCCs is its smoothed mel spectrogram. Low-rate codecs
    empty single bands; smoothing spreads this, so copies made with them are less alike.
    """

    feature: str
    n_mels: int
    basis: Floats | None
    """(bands, coefficients), from MFCC to mel."""
    frames_per_second: float
    reach: float
    """Number of bands of :attr:`n_mels` up to :data:`TOP_HERTZ`, with a fraction of the last one."""

    @classmethod
    def of(cls, spec: StoreSpec) -> SoundSource:
        """Source for a store. Raises :class:`UsageError` if it holds neither mel nor MFCC."""
        rate = spec.audio.sample_rate
        for feature in sorted(spec.features, key=lambda feature: feature.kind):  # mel before mfcc
            if isinstance(feature, MelSpec | MfccSpec):
                reach = slaney(min(TOP_HERTZ, rate / 2)) / slaney(rate / 2) * feature.n_mels
                basis = None
                if isinstance(feature, MfccSpec):
                    basis = _inverse_cosine(feature.n_mels, feature.n_mfcc)[: int(np.ceil(reach))]
                frames = rate / spec.spectral.hop_length
                return cls(feature.kind, feature.n_mels, basis, frames, reach)
        raise UsageError(
            "the search for copies needs mel or mfcc, but the store holds neither; build it with one of them"
        )

    def read(self, store: FeatureStore, positions: NDArray[np.int64]) -> Sounds:
        """Sounds of usable clips in their original view."""
        values = store.read(positions, (ORIGINAL_VIEW,), (self.feature,))[self.feature][0]
        valid = store.valid_frames(positions, (ORIGINAL_VIEW,))[0]
        if self.basis is not None:
            return Sounds.of(np.matmul(self.basis, values.astype(np.float32)), valid)
        return Sounds.of(values[:, : int(np.ceil(self.reach))].astype(np.float32), valid)

    def blocks(self, store: FeatureStore, positions: NDArray[np.int64]) -> Iterator[tuple[slice, Sounds]]:
        """Sounds of many clips, block by block, with the part of ``positions`` they belong to."""
        for start in range(0, len(positions), _CLIPS_AT_ONCE):
            part = slice(start, min(start + _CLIPS_AT_ONCE, len(positions)))
            yield part, self.read(store, positions[part])


def can_hear(spec: StoreSpec) -> bool:
    """Whether a store holds mel or MFCC; the search for copies needs one of them."""
    return any(isinstance(feature, MelSpec | MfccSpec) for feature in spec.features)


def slaney(hertz: float) -> float:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))


def _inverse_cosine(n: int, kept: int) -> Floats:
    """(n, kept): the orthonormal DCT-III, from the first ``kept`` coefficients to ``n`` values."""
    angle = np.pi * np.outer(np.arange(n) + 0.5, np.arange(kept)) / n
    basis = np.sqrt(2 / n) * np.cos(angle)
    basis[:, 0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float32)
