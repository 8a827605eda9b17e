"""Columns of an exported table: one number per coefficient, or its mean and deviation over the clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.encoders import EncoderSpec
from schemas.spec import StoreSpec


def find_encoder(spec: StoreSpec, feature: str) -> EncoderSpec | None:
    """The encoder whose states the feature holds; None for other features."""
    return next((each for each in spec.encoders if each.name == feature), None)


def is_pooled(spec: StoreSpec, feature: str) -> bool:
    """Whether the feature has one frame per clip: that of an encoder, pooled."""
    encoder = find_encoder(spec, feature)
    return encoder is not None and bool(encoder.statistics)


def column_names(spec: StoreSpec, feature: str, layers: Sequence[int] | None = None) -> tuple[str, ...]:
    """Names of the values of a clip, in the order of :func:`clip_values`.

    ``mel.mean.0`` to ``mel.std.127``; of an encoder ``whisper-base.3.mean.0``, with the layer. ``layers``:
    those that are read; None: all that are stored.
    """
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


def clip_values(
    block: npt.NDArray[np.floating], valid_frames: npt.NDArray[np.int64], *, pooled: bool
) -> npt.NDArray[np.float32]:
    """Values of clips: ``block`` (clip, coefficient, frame) as stored → (clip, values) float32.

    Those of a pooled feature as they are; otherwise mean and population deviation over the ``valid_frames``
    (clip,) of each clip.
    """
    if pooled:
        return block[:, :, 0].astype(np.float32)
    valid = (np.arange(block.shape[2]) < valid_frames[:, None])[:, None]
    numbers = np.where(valid, block, 0.0).astype(np.float64)
    count = np.maximum(valid_frames, 1)[:, None]
    mean = numbers.sum(axis=2) / count
    squares = np.where(valid, np.square(numbers - mean[:, :, None]), 0.0).sum(axis=2)
    return np.concatenate([mean, np.sqrt(squares / count)], axis=1).astype(np.float32)
