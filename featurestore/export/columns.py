"""Columns of an exported table: one number per coefficient, or its mean and deviation over the clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.encoders import EncoderSpec
from schemas.imported import ImportedSpec
from schemas.opensmile import OpenSmileSpec
from schemas.spec import StoreSpec


def find_encoder(spec: StoreSpec, feature: str) -> EncoderSpec | None:
    """The encoder whose states the feature holds; None for other features."""
    return next((each for each in spec.encoders if each.name == feature), None)


def is_pooled(spec: StoreSpec, feature: str) -> bool:
    """Whether the feature has one frame per clip: that of an encoder, pooled, functionals of openSMILE, or an
    imported vector.
    """
    if find_opensmile(spec, feature) is not None:
        return True
    if (imported := find_imported(spec, feature)) is not None:
        return imported.frames == 1
    encoder = find_encoder(spec, feature)
    return encoder is not None and bool(encoder.statistics)


def column_names(spec: StoreSpec, feature: str, layers: Sequence[int] | None = None) -> tuple[str, ...]:
    """Names of the values of a clip, in the order of :func:`clip_values`.

    ``mel.mean.0`` to ``mel.std.127``; of an encoder ``whisper-base.3.mean.0``, with the layer; of an imported
    vector ``wav2vec2.0``, or with the column of its table instead of the number; of openSMILE
    ``egemaps.loudness_sma3_amean``. ``layers``: those that are read; None: all that are stored.
    """
    if (smile := find_opensmile(spec, feature)) is not None:
        return tuple(f"{feature}.{column}" for column in smile.columns or ())
    if (imported := find_imported(spec, feature)) is not None and imported.frames == 1:
        return _imported_names(imported)
    encoder = find_encoder(spec, feature)
    if encoder is None:
        rows = [str(index) for index in range(spec.coefficients[feature])]
        return tuple(f"{feature}.{kind}.{row}" for kind in ("mean", "std") for row in rows)
    chosen = encoder.all_layers if layers is None else layers
    kinds = encoder.statistics or ("mean", "std")
    places = range(encoder.known_architecture.width)
    if encoder.statistics:
        return tuple(f"{feature}.{layer}.{kind}.{i}" for layer in chosen for kind in kinds for i in places)
    return tuple(f"{feature}.{layer}.{kind}.{i}" for kind in kinds for layer in chosen for i in places)


def find_imported(spec: StoreSpec, feature: str) -> ImportedSpec | None:
    """The imported feature of this name; None for other features."""
    return next((each for each in spec.imported if each.name == feature), None)


def find_opensmile(spec: StoreSpec, feature: str) -> OpenSmileSpec | None:
    """The feature of openSMILE of this name; None for other features."""
    return next((each for each in spec.opensmile if each.name == feature), None)


def _imported_names(feature: ImportedSpec) -> tuple[str, ...]:
    if feature.columns is not None:
        return tuple(f"{feature.name}.{column}" for column in feature.columns)
    places = range(feature.width)
    if feature.layers == 1:
        return tuple(f"{feature.name}.{i}" for i in places)
    return tuple(f"{feature.name}.{layer}.{i}" for layer in range(feature.layers) for i in places)


def clip_values(
    block: npt.NDArray[np.floating], valid_frames: npt.NDArray[np.int64], *, pooled: bool
) -> npt.NDArray[np.float32]:
    """Values of clips: ``block`` (clip, coefficient, frame) as stored → (clip, values) float32.

    Those of a pooled feature as they are; otherwise mean and population deviation over the ``valid_frames``
    (clip,) of each clip, NaN for a clip that has none.
    """
    if pooled:
        return block[:, :, 0].astype(np.float32)
    valid = (np.arange(block.shape[2]) < valid_frames[:, None])[:, None]
    numbers = np.where(valid, block, 0.0).astype(np.float64)
    count = np.where(valid_frames > 0, valid_frames, np.nan)[:, None]
    mean = numbers.sum(axis=2) / count
    squares = np.where(valid, np.square(numbers - mean[:, :, None]), 0.0).sum(axis=2)
    return np.concatenate([mean, np.sqrt(squares / count)], axis=1).astype(np.float32)
