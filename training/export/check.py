"""Check with onnxruntime that an ONNX graph predicts what the model predicts, before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.decode import prepare
from schemas.errors import RunError
from schemas.telemetry import disable_telemetry
from training.predict.predictor import Predictor

TOLERANCE = 1e-4
"""Largest allowed difference of a probability, or of a value as a share of its size or of the labels'
deviation, whichever is larger. Networks differ by about 1e-7; counts and sorting in functionals are steps, at
which the last bit of a sum can decide."""

EXTRAPOLATED = 0.1
"""The same for values of random features: a regression extrapolates there, to sums of large numbers that
almost cancel, and steps of functionals decide. Values are not bounded, as probabilities are."""

BATCH_SIZES = (1, 2, 7)

_RANGES = {
    "mel": (-100.0, 30.0), "mfcc": (-200.0, 100.0), "delta": (-20.0, 20.0), "delta2": (-10.0, 10.0),
    "chroma": (0.0, 1.0), "rms": (0.0, 0.5), "zcr": (0.0, 1.0),
}  # fmt: skip
"""Range of each feature's values."""

_ENCODER_RANGE = (-1.0, 1.0)
"""Range of most values of hidden states."""


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs of the graph: features (B, C, T) float32, valid frames (B,) int64."""

    features: NDArray[np.float32]
    valid_frames: NDArray[np.int64]
    is_sound: bool
    """Whether the features are those of sounds, not random numbers."""


def require_same(onnx: bytes, predictor: Predictor) -> float:
    """Compare a graph with the run's model over batches of each size; return the largest difference.

    Inputs are sounds of all lengths from the run's pipeline, and random numbers in each feature's range with
    one to all frames valid and NaN in the rest; functionals count one frame as two. Raises
    :class:`RunError` if a probability or a value differs by more than :data:`TOLERANCE`, or a value of random
    features by more than :data:`EXTRAPOLATED`. The largest difference of a regression is that of sounds.
    """
    disable_telemetry()
    from onnxruntime import InferenceSession

    session = InferenceSession(onnx, providers=["CPUExecutionProvider"])
    largest = 0.0
    for case in _cases(predictor):
        expected = outputs_of(predictor, case.features, case.valid_frames)
        found = session.run(list(expected), {"features": case.features, "valid_frames": case.valid_frames})
        for ours, its in zip(expected.values(), found, strict=True):
            difference = _difference(predictor, ours, its) if its.shape == ours.shape else np.nan
            bounded = case.is_sound or not predictor.dimensions
            allowed = TOLERANCE if bounded else EXTRAPOLATED
            if not difference <= allowed:  # NaN too
                what = "value, as a share" if predictor.dimensions else "probability"
                raise RunError(
                    f"the exported graph differs from the model by {difference:.1g} in a {what} "
                    f"(allowed: {allowed:g}) and is not written; please report this with the run's run.json"
                )
            largest = max(largest, difference if bounded else 0.0)
    return largest


def outputs_of(
    predictor: Predictor, features: NDArray[np.floating], valid_frames: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """What the model says of features (B, C, T) as stored, by the name of the graph's output."""
    found = predictor.score(torch.from_numpy(features), torch.from_numpy(valid_frames))
    if predictor.dimensions:
        return {"values": found}
    return {"probabilities": found, "emotions": predictor.marginal(found)}


def _difference(predictor: Predictor, ours: NDArray[np.float64], its: NDArray[np.floating]) -> float:
    """Largest difference: of probabilities, or of values as shares of their deviation or size.

    A linear model extrapolates: on random features its values may be thousands of deviations away.
    """
    scales = predictor.record.dimensions
    units = np.maximum(np.abs(ours), [scale.deviation for scale in scales]) if scales else np.ones(1)
    return float((np.abs(ours - its) / units).max())


def _cases(predictor: Predictor) -> Iterator[Case]:
    draw = np.random.default_rng(0)
    for size in BATCH_SIZES:
        yield _sounds(predictor, size, draw)
        yield _random(predictor, size, draw)


def _sounds(predictor: Predictor, count: int, draw: np.random.Generator) -> Case:
    """Harmonic tones in noise, from the shortest clip to one longer than the window."""
    audio = predictor.spec.audio
    clips = []
    for seconds in np.linspace(audio.min_duration_s, 1.2 * predictor.window_s, count):
        t = np.arange(max(1, round(seconds * audio.sample_rate))) / audio.sample_rate
        tone = sum(np.sin(2 * np.pi * h * draw.uniform(90, 260) * t) / h for h in range(1, 6))
        noisy = 0.1 * tone * (1 + np.sin(2 * np.pi * draw.uniform(1, 6) * t)) + draw.normal(0, 0.01, len(t))
        clips.append(prepare(noisy.astype(np.float32), audio))
    features, valid = predictor.inputs(clips)
    return Case(features.astype(np.float32), valid, is_sound=True)


def _random(predictor: Predictor, count: int, draw: np.random.Generator) -> Case:
    names = predictor.record.features
    rows, frames = predictor.spec.coefficients, predictor.spec.common_frames(names)
    values = []
    for name in names:
        lowest, highest = _RANGES.get(name, _ENCODER_RANGE)
        values.append(draw.uniform(lowest, highest, (count, rows[name], frames)))
    features = np.concatenate(values, axis=1).astype(np.float32)
    valid = draw.integers(1, frames + 1, count)
    valid[0], valid[-1] = frames, 1
    for clip, held in zip(features, valid, strict=True):
        clip[:, max(held, 2) :] = np.nan
    return Case(features, valid, is_sound=False)
