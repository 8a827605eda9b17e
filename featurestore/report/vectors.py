"""Clips as vectors: an encoder's states, or a spectral feature, averaged over a clip's valid frames.

Values are read for a sample of clips, a bounded block at a time, and reduced to one vector per clip (and
layer) before the next block is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.progress import Progress
from featurestore.read.opening import REPAIR
from featurestore.report.blocks import Doubles, Floats
from featurestore.report.sample import MOST_CLIPS, ClipSample, sample_clips
from featurestore.store import FeatureStore
from schemas.encoders import EncoderSpec
from schemas.errors import StoreDamagedError

MOST_BLOCK_BYTES = 32 * 2**20
"""Decoded bytes that are read at a time, unless :data:`FEWEST_BLOCK_CLIPS` clips have more."""

FEWEST_BLOCK_CLIPS = 32

MOST_STATE_BYTES = 256 * 2**20
"""Bytes of all states of a sample, which has fewer clips if an encoder has many wide layers."""


@dataclass(frozen=True)
class LayerStates:
    """Mean states of an encoder. ``means``: (clip, layer, width) float32, mean over a clip's frames."""

    feature: str
    layers: tuple[int, ...]
    sample: ClipSample
    means: npt.NDArray[np.float32]


@dataclass(frozen=True)
class SampledVectors:
    """One vector per clip. ``vectors``: (clip, k) float64.

    Mean of the encoder's state ``layer`` over the clip's frames; if ``layer`` is None, the mean and the
    standard deviation (population) of each coefficient of a spectral feature over the clip's valid frames.
    """

    feature: str
    layer: int | None
    sample: ClipSample
    vectors: Doubles


def read_states(store: FeatureStore, encoder: EncoderSpec, progress: Progress) -> LayerStates:
    """Read the mean states of a sample of the usable originals, in all stored layers of an encoder.

    Raises what :meth:`featurestore.store.FeatureStore.read` raises, and :class:`StoreDamagedError` for values
    that are not finite.
    """
    layers, width = encoder.all_layers, encoder.known_architecture.width
    fit = MOST_STATE_BYTES // (4 * len(layers) * width)
    sample = sample_clips(store.manifest, max(1, min(MOST_CLIPS, fit)))
    # Coefficients are layers × statistics × width, and the first statistic is the mean.
    means = np.empty((len(sample.positions), len(layers), width), np.float32)
    for some, values, lengths in _read_blocks(store, encoder.name, sample.positions, progress):
        by_layer = values.reshape(len(values), len(layers), -1, width, values.shape[-1])
        means[some] = _mean(by_layer[:, :, 0], lengths)
    return LayerStates(encoder.name, layers, sample, means)


def middle_layer(states: LayerStates) -> SampledVectors:
    """The vectors of the middle stored layer; of two, the later one."""
    place = len(states.layers) // 2
    values = states.means[:, place].astype(np.float64)
    return SampledVectors(states.feature, states.layers[place], states.sample, values)


def read_spectral_vectors(store: FeatureStore, progress: Progress) -> SampledVectors | None:
    """Read vectors of MFCC, or else of mel, for a sample of the usable originals; None without either.

    Raises what :func:`read_states` raises.
    """
    feature = next((name for name in ("mfcc", "mel") if name in store.spec.coefficients), None)
    if feature is None:
        return None
    sample = sample_clips(store.manifest)
    count = store.spec.coefficients[feature]
    vectors = np.empty((len(sample.positions), 2 * count))
    for some, values, lengths in _read_blocks(store, feature, sample.positions, progress):
        mean = _mean(values, lengths)
        deviations = values.astype(np.float64) - mean[..., np.newaxis]
        vectors[some] = np.concatenate([mean, np.sqrt(_mean(deviations**2, lengths))], axis=1)
    return SampledVectors(feature, None, sample, vectors)


def _read_blocks(
    store: FeatureStore, feature: str, positions: npt.NDArray[np.int64], progress: Progress
) -> Iterator[tuple[slice, Floats, npt.NDArray[np.int64]]]:
    """Clips in turn: their slice, (n, coefficient, frame) values as stored, and (n,) valid frames."""
    clip = math.prod(store.spec.shapes[feature]) * np.dtype(store.spec.storage.dtype).itemsize
    step = max(FEWEST_BLOCK_CLIPS, MOST_BLOCK_BYTES // clip)
    with progress.task(f"read {feature} of {len(positions):,} clips", len(positions), "clips") as advance:
        for start in range(0, len(positions), step):
            some = positions[start : start + step]
            values = store.read(some, (0,), (feature,))[feature][0]
            lengths = store.valid_frames(some, (0,), feature)[0]
            _require_finite(store, feature, some, values)
            yield slice(start, start + len(some)), values, lengths
            advance(len(some))


def _mean(values: Floats, lengths: npt.NDArray[np.int64]) -> Doubles:
    """Mean over the first ``lengths`` frames of (clip, …, frame); 0 for a clip without frames."""
    valid = np.arange(values.shape[-1]) < lengths[:, np.newaxis]
    shape = (len(values), *[1] * (values.ndim - 2), values.shape[-1])
    total = values.sum(axis=-1, dtype=np.float64, where=valid.reshape(shape))
    return np.asarray(total / np.maximum(lengths, 1).reshape(shape[:-1]), np.float64)


def _require_finite(
    store: FeatureStore, feature: str, positions: npt.NDArray[np.int64], values: Floats
) -> None:
    broken = ~np.isfinite(values).all(axis=(1, 2))
    if broken.any():
        clip_id = store.manifest["clip_id"].iloc[int(positions[broken.argmax()])]
        raise StoreDamagedError(
            f"{feature} of the usable clip {clip_id} in {store.place} is not finite; {REPAIR}"
        )
