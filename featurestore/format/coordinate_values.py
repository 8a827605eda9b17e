"""The values of coordinates, which a build writes and readers take from the store."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurestore.format.coordinates import frame_dimension, row_coordinates
from pipelines.features.mel_scale import mel_edges
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.features import MelSpec
from schemas.spec import StoreSpec

Values = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def coordinate_values(spec: StoreSpec) -> dict[str, Values]:
    """Values of every coordinate of :func:`featurestore.format.coordinates.coordinates`, by name."""
    step = spec.spectral.hop_length / spec.audio.sample_rate
    out: dict[str, Values] = {"frame": np.arange(spec.frames, dtype=np.float64) * np.float64(step)}
    for feature in spec.features:
        if isinstance(feature, MelSpec):
            out["mel_band"] = mel_edges(spec.audio.sample_rate, feature.n_mels)[1:-1]
        elif isinstance(feature, EncoderSpec):
            out |= _of_encoder(feature, spec.shapes[feature.name][1])
    return out


def _of_encoder(feature: EncoderSpec, frames: int) -> dict[str, Values]:
    width, layers = feature.known_architecture.width, np.array(feature.all_layers, dtype=np.int64)
    names = row_coordinates(feature)
    if not feature.statistics:
        return {names[0]: np.repeat(layers, width), frame_dimension(feature): _centres(feature, frames)}
    kinds = len(feature.statistics)
    return {
        names[0]: np.repeat(layers, kinds * width),
        names[1]: np.tile(np.repeat(np.arange(kinds, dtype=np.int64), width), len(layers)),
    }


def _centres(feature: EncoderSpec, frames: int) -> npt.NDArray[np.float64]:
    """Middle of the frames of the encoder that each stored frame averages, (frames,) s."""
    architecture = feature.known_architecture
    first = np.arange(frames, dtype=np.float64) * feature.stride
    samples = (first + (feature.stride - 1) / 2) * architecture.hop + architecture.first_centre
    return np.asarray(samples / ENCODER_RATE, dtype=np.float64)
